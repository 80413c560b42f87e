"""The keys folder: one random root key wrapped by the operator's secret, and the keys wrapped by it."""

from __future__ import annotations

from consentkit.crypto.chunks import BadChunk as BadChunk
from consentkit.crypto.chunks import ChunkSealer as ChunkSealer
from consentkit.crypto.chunks import open_chunks as open_chunks
from consentkit.crypto.chunks import opened_bytes as opened_bytes
from consentkit.crypto.files import publish as publish
from consentkit.crypto.files import sync_directory as sync_directory
from consentkit.crypto.keyring import AcceptedKey as AcceptedKey
from consentkit.crypto.keyring import Keyring as Keyring
from consentkit.crypto.primitives import KEY_BYTES as KEY_BYTES
from consentkit.crypto.primitives import NONCE_BYTES as NONCE_BYTES
from consentkit.crypto.primitives import hkdf as hkdf
from consentkit.crypto.rotation import BEGUN as BEGUN
from consentkit.crypto.rotation import Rotation as Rotation
