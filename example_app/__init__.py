"""Lumo, the site of an invented operator: shows consentkit on a site with pages, a sign-in and an embed."""
