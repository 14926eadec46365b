from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.peers.signatures import SIGNATURE_BYTES, is_signed, sign

OWN, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_signature_is_of_its_data_and_key_alone(data, other):
    signature = sign(OWN, data)
    assert len(signature) == SIGNATURE_BYTES
    assert is_signed(OWN.public_key(), signature, data)
    assert is_signed(OWN.public_key(), signature, other) is (data == other)
    assert not is_signed(OTHER.public_key(), signature, data)


@given(st.binary(max_size=2 * SIGNATURE_BYTES) | st.binary(min_size=64, max_size=64))
def test_whatever_comes_instead_is_none(rubbish):
    assert not is_signed(OWN.public_key(), rubbish, b"data")
