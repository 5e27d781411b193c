"""Drives OpenSSL's s_client and s_server against our peer; does the proof of work for them, which they do not know."""

import hashlib
import pathlib
import re
import socket
import subprocess
import sys
import threading

PEER, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
PLATFORM = str(WORK / "platform.json")
LIMIT = 60  # seconds for any step
CHALLENGE, ANSWER = 0x418E1291, 0x01827319
BITS = 10


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, timeout=LIMIT, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{command[:3]} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout


# ---- certificates as OpenSSL makes them


def certificate(name, is_version_1):
    """A key and a certificate with a simulated quote for it, made by OpenSSL."""
    key, pem = WORK / f"{name}.key", WORK / f"{name}.pem"
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
    public = run("openssl", "pkey", "-in", key, "-pubout", "-outform", "DER")[-32:].hex()
    quote = run(PEER, "quote", PLATFORM, public).decode().strip()
    config = WORK / f"{name}.cnf"
    config.write_text(
        "[req]\ndistinguished_name = name\nprompt = no\nx509_extensions = extensions\n"
        "[name]\nC = AE\nST = DUBAI\nO = TDLib Development\nOU = Security\nCN = localhost\n"
        "[extensions]\n"
        f"1.3.6.1.4.1.12345.1 = critical,DER:{quote}\n1.3.6.1.4.1.12345.2 = critical,DER:{public}\n"
        "basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\n"
        "extendedKeyUsage = critical,serverAuth,clientAuth\nsubjectKeyIdentifier = hash\n"
        "subjectAltName = DNS:localhost,DNS:127.0.0.1,IP:::1\n"
    )
    run("openssl", "req", "-x509", "-new", "-key", key, "-config", config, "-days", "1", "-out", pem)
    if is_version_1:
        der = run("openssl", "x509", "-in", pem, "-outform", "DER")
        (WORK / f"{name}.der").write_bytes(without_version(der, key))
        run("openssl", "x509", "-inform", "DER", "-in", WORK / f"{name}.der", "-out", pem)
        text = run("openssl", "x509", "-in", pem, "-noout", "-text").decode()
        assert "Version: 1 (0x0)" in text and "X509v3 extensions" in text, text
    return key, pem


def element(data):
    """Length of the header and of the whole of the first DER element."""
    if data[1] < 0x80:
        return 2, 2 + data[1]
    count = data[1] & 0x7F
    return 2 + count, 2 + count + int.from_bytes(data[2 : 2 + count], "big")


def sequence(content):
    length = len(content).to_bytes(2, "big")
    return b"\x30\x82" + length + content


def without_version(der, key):
    """What OpenSSL 3.0 makes of a certificate whose version nobody set: extensions, and no version."""
    body = der[element(der)[0] :]
    header, end = element(body)
    signed = body[header:end]
    assert signed[:5] == b"\xa0\x03\x02\x01\x02"
    signed = sequence(signed[5:])
    (WORK / "signed").write_bytes(signed)
    signature = run("openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", WORK / "signed")
    assert len(signature) == 64
    return sequence(signed + b"\x30\x05\x06\x03\x2b\x65\x70" + b"\x03\x41\x00" + signature)


# ---- proof of work


def solves(salt, nonce, bits):
    digest = hashlib.sha256(salt + nonce.to_bytes(8, "little")).digest()
    return int.from_bytes(digest[:8], "little") >> (64 - bits) == 0


def exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        assert more, "the peer closed"
        data += more
    return data


def work_for(server):
    """The dialing side."""
    data = exactly(server, 24)
    assert int.from_bytes(data[:4], "little") == CHALLENGE
    bits, salt = int.from_bytes(data[4:8], "little"), data[8:]
    assert bits == BITS, bits
    nonce = next(n for n in range(1 << 32) if solves(salt, n, bits))
    server.sendall(ANSWER.to_bytes(4, "little") + nonce.to_bytes(8, "little"))


def ask_for_work(client):
    """The accepting side."""
    salt = bytes(range(16))
    client.sendall(CHALLENGE.to_bytes(4, "little") + BITS.to_bytes(4, "little") + salt)
    data = exactly(client, 12)
    assert int.from_bytes(data[:4], "little") == ANSWER
    assert solves(salt, int.from_bytes(data[4:], "little"), BITS), "the work is wrong"


def pump(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other direction has ended the connection


def between(prepare, port):
    """Takes one connection, connects it with `port`, and copies bytes after the proof of work."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port), LIMIT)
        prepare(near, far)
        threading.Thread(target=pump, args=(near, far), daemon=True).start()
        pump(far, near)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


# ---- the two directions


def openssl_dials(key, pem):
    ours = subprocess.Popen([PEER, "listen", PLATFORM, "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = int(ours.stdout.readline().rsplit(":", 1)[1])
    port = between(lambda _, server: work_for(server), port)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-noservername", "-ign_eof"]
    command += ["-cert", pem, "-key", key, "-verify_hostname", "127.0.0.1", "-verify", "1"]
    theirs = subprocess.run(command, input=b"hello\n", capture_output=True, timeout=LIMIT, check=False)
    out = theirs.stdout.decode(errors="replace")
    said, failure = ours.communicate(timeout=LIMIT)
    assert ours.returncode == 0 and said.startswith("accepted "), failure + out
    assert "\nhello\n" in out, out
    # What deployed peers tolerate of a chain, and nothing else: self-signed (18) and our critical extensions (34).
    errors = set(re.findall(r"verify error:num=(\d+)", out + theirs.stderr.decode(errors="replace")))
    assert errors and errors <= {"18", "34"}, errors
    shown = out[out.index("-----BEGIN CERTIFICATE") : out.index("-----END CERTIFICATE")] + "-----END CERTIFICATE-----\n"
    match = run("openssl", "x509", "-noout", "-checkhost", "127.0.0.1", input=shown.encode()).decode()
    assert "does match" in match, match


def openssl_listens(key, pem):
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-tls1_3", "-rev", "-Verify", "1"]
    theirs = subprocess.Popen(
        command + ["-cert", pem, "-key", key], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        port = next(int(found[1]) for line in theirs.stdout if (found := re.search(r"ACCEPT .*:(\d+)", line)))
        port = between(lambda client, _: ask_for_work(client), port)
        said = run(PEER, "dial", PLATFORM, f"127.0.0.1:{port}").decode().strip()
        assert said == "olleh", said
    finally:
        theirs.terminate()
        theirs.wait(LIMIT)


for version in (3, 1):
    pair = certificate(f"version-{version}", version == 1)
    openssl_dials(*pair)
    openssl_listens(*pair)
    print(f"certificates of version {version}: OpenSSL dials, OpenSSL listens")
print(run("openssl", "version").decode().strip())
