"""Ed25519 as RFC 8032 describes it (sections 5.1.3 to 5.1.7). Slow, and only for test vectors: it is not constant in time."""

import hashlib

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)


def _recover_x(y, sign):
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
    if square == 0:
        return None if sign else 0
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT_OF_MINUS_ONE % PRIME
    if (x * x - square) % PRIME:
        return None
    return PRIME - x if x & 1 != sign else x


_BASE_Y = 4 * pow(5, -1, PRIME) % PRIME
_BASE_X = _recover_x(_BASE_Y, 0)
BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % PRIME)
NEUTRAL = (0, 1, 1, 0)


def _add(left, right):
    a = (left[1] - left[0]) * (right[1] - right[0]) % PRIME
    b = (left[1] + left[0]) * (right[1] + right[0]) % PRIME
    c = 2 * left[3] * right[3] * D % PRIME
    d = 2 * left[2] * right[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _times(scalar, point):
    sum_ = NEUTRAL
    while scalar:
        if scalar & 1:
            sum_ = _add(sum_, point)
        point = _add(point, point)
        scalar >>= 1
    return sum_


def _base_times(scalar):
    """`_times(scalar, BASE)`, from a table."""
    sum_ = NEUTRAL
    for power in _BASE_POWERS:
        if scalar & 1:
            sum_ = _add(sum_, power)
        scalar >>= 1
    return sum_


def _powers(point):
    for _ in range(256):
        yield point
        point = _add(point, point)


_BASE_POWERS = list(_powers(BASE))


def _same(left, right):
    return (left[0] * right[2] - right[0] * left[2]) % PRIME == 0 and (left[1] * right[2] - right[1] * left[2]) % PRIME == 0


def _compress(point):
    inverse = pow(point[2], -1, PRIME)
    x, y = point[0] * inverse % PRIME, point[1] * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % PRIME)


def _expand(secret):
    digest = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (1 << 254) - 8 | 1 << 254, digest[32:]


def _number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER


def public_key(secret):
    """The 32 bytes of the public key of a 32-byte seed."""
    return _compress(_base_times(_expand(secret)[0]))


def sign(secret, message):
    """64 bytes."""
    scalar, prefix = _expand(secret)
    public = _compress(_base_times(scalar))
    nonce = _number(prefix, message)
    point = _compress(_base_times(nonce))
    return point + ((nonce + _number(point, public, message) * scalar) % ORDER).to_bytes(32, "little")


def verify(public, message, signature):
    """Whether the signature is of this key over this message."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point = _decompress(public), _decompress(signature[:32])
    response = int.from_bytes(signature[32:], "little")
    if key is None or point is None or response >= ORDER:
        return False
    if any(_same(_times(8, part), NEUTRAL) for part in (key, point)):
        return False  # of small order: such a key or signature may fit several messages
    challenge = _number(signature[:32], public, message)
    return _same(_base_times(response), _add(point, _times(challenge, key)))
