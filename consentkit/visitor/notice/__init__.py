"""The privacy notice: each item of GDPR art. 13, said from the settings that are enforced."""
