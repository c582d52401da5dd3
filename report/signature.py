"""The operator's signature: a key of theirs, and the envelope (DSSE) that it closes."""

import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAKE_ONE = "Make one: openssl genpkey -algorithm ed25519 -out signing.pem"


class KeyProblemError(Exception):
    """A key that cannot be used; the message says the way out."""


def signed(statement: dict[str, Any], key: bytes) -> str:
    """The envelope of a statement, as JSON. `key` is a private one, PEM."""
    payload = json.dumps(statement, sort_keys=True, ensure_ascii=False).encode()
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(_private(key)))
    return json.dumps(envelope.to_dict(), indent=2) + "\n"


def opened(text: str, key: bytes) -> bytes:
    """What an envelope holds that this key has signed; `key` is the public or the private one.

    Raises `ValueError` for what is no envelope of a statement, and for another's signature.
    """
    try:
        envelope = Envelope.from_dict(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it is no signed statement ({error})") from error
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"it holds {envelope.payload_type}, no in-toto statement")
    try:
        envelope.verify([SSlibKey.from_crypto(_public(key))], 1)
    except VerificationError as error:
        raise ValueError("its signature is not of this key, or it was changed since") from error
    return envelope.payload


def _private(key: bytes) -> EllipticCurvePrivateKey | Ed25519PrivateKey:
    try:
        found = serialization.load_pem_private_key(key, password=None)
    except TypeError:
        raise KeyProblemError(
            "the signing key is locked by a password. "
            "Give it as the secret signing_key instead: "
            "openssl pkey -in signing.pem | pulumi config set --secret signing_key"
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblemError(f"the signing key is no private key in PEM. {MAKE_ONE}") from error
    if not isinstance(found, EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise KeyProblemError(f"the signing key is neither ed25519 nor ecdsa. {MAKE_ONE}")
    return found


def _public(key: bytes) -> EllipticCurvePublicKey | Ed25519PublicKey:
    try:
        found = serialization.load_pem_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        return _private(key).public_key()
    if not isinstance(found, EllipticCurvePublicKey | Ed25519PublicKey):
        raise KeyProblemError(f"the signing key is neither ed25519 nor ecdsa. {MAKE_ONE}")
    return found
