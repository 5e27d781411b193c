"""API keys, rates, budgets and idempotency keys through the unmodified `openai` package; the first difference ends it with an error.

access.py URL COCOON DATA_DIR: the client's URL, the command, and the folder of the local network whose client it is.
"""

import json
import socket
import subprocess
import sys
import threading
import time
import uuid

import openai

MESSAGES = [{"role": "user", "content": "What is Cocoon?"}]


class Relay:
    """Passes connections on, and cuts the first one: before its answer, or `after` so many bytes of it."""

    def __init__(self, url: str, after: int) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.to, self.after, self.cuts, self.connections = (host, int(port)), after, 1, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near: socket.socket) -> None:
        far = socket.create_connection(self.to)
        far.sendall(read_request(near))
        if self.cuts:
            self.cuts -= 1
            seen = 0
            while seen < self.after:
                piece = far.recv(min(4096, self.after - seen))
                seen += len(piece)
                near.sendall(piece)
            # The client has it and works on it.
            time.sleep(0.2)
            for end in (near, far):
                end.shutdown(socket.SHUT_RDWR)
                end.close()
            return
        while piece := far.recv(65536):
            near.sendall(piece)
        near.close()


def read_request(near: socket.socket) -> bytes:
    """One request, with `Connection: close` so that the answer ends with the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += near.recv(65536)
    head, body = data.split(b"\r\n\r\n", 1)
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += near.recv(65536)
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


class Check:
    def __init__(self, url: str, cocoon: str, data_dir: str) -> None:
        self.url, self.cocoon, self.data_dir = url, cocoon, data_dir

    def key(self, *options: str) -> str:
        name = f"ci-{uuid.uuid4().hex[:8]}"
        line = [self.cocoon, "client", "key", "create", name, *options, "--json", "--data-dir", self.data_dir]
        made = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
        # The client looks at the file once a second.
        time.sleep(1.5)
        return made["secret"]

    def client(self, secret: str, url: str | None = None, retries: int = 0) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{url or self.url}/v1", api_key=secret, max_retries=retries, timeout=60)

    def account(self, secret: str) -> dict:
        """What the key has spent, once nothing is held any more."""
        for _ in range(100):
            account = self.client(secret).get("/cocoon/key", cast_to=object)
            if account["held"] == "0":
                return account
            time.sleep(0.1)
        raise AssertionError(f"something stays held: {account}")


def ask(client: openai.OpenAI, model: str, **more):
    return client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, max_tokens=24, temperature=0, **more
    )


def refused(call, status: int, code: str) -> None:
    try:
        call()
    except openai.APIStatusError as error:
        assert (error.status_code, error.code) == (status, code), (error.status_code, error.body)
        print(f"{code}: {type(error).__name__}")
    else:
        raise AssertionError(f"{code} was expected")


def keys(check: Check, model: str) -> None:
    unknown = "ck-" + "0" * 64
    refused(lambda: ask(check.client(unknown), model), 401, "invalid_api_key")
    reader = check.key("--scope", "read")
    assert check.client(reader).models.list().data, "a key for reading reads"
    refused(lambda: ask(check.client(reader), model), 403, "insufficient_permissions")
    other = check.key("--model", "no/such")
    refused(lambda: ask(check.client(other), model), 403, "model_not_allowed")
    poor = check.key("--spend", "0.000001")
    refused(lambda: ask(check.client(poor), model), 402, "insufficient_quota")


def rates(check: Check, model: str) -> None:
    secret = check.key("--requests-per-minute", "20")
    client, begun = check.client(secret), time.monotonic()
    for _ in range(40):
        try:
            client.models.list()
        except openai.RateLimitError as error:
            wait = int(error.response.headers["retry-after"])
            break
    else:
        raise AssertionError("no limit was met")
    assert 1 <= wait <= 3, wait
    # The package waits by itself, as it is told.
    begun = time.monotonic()
    check.client(secret, retries=3).models.list()
    print(f"429 with Retry-After {wait}: the package came again after {time.monotonic() - begun:.1f} s")


def plain(check: Check, model: str) -> None:
    secret, relay = check.key("--spend", "5"), Relay(check.url, after=0)
    name = {"Idempotency-Key": str(uuid.uuid4())}
    raw = ask(check.client(secret, relay.url, retries=2), model, extra_headers=name)
    assert relay.connections == 2, f"{relay.connections} connections"
    assert raw.headers.get("idempotency-replayed") == "true", dict(raw.headers)
    usage = raw.parse().usage
    again = ask(check.client(secret), model, extra_headers=name)
    assert again.text == raw.text and again.headers["x-cocoon-request-id"] == raw.headers["x-cocoon-request-id"]
    spent = check.account(secret)["spent"]
    assert int(spent) == usage.total_cost, (spent, usage)
    other = dict(model=model, messages=MESSAGES, max_tokens=25, extra_headers=name)
    refused(lambda: check.client(secret).chat.completions.create(**other), 422, "idempotency_key_reused")
    print(f"dropped and retried by the package: charged once, {spent} nanoton")


def streamed(check: Check, model: str) -> None:
    secret, relay = check.key("--spend", "5"), Relay(check.url, after=400)
    name = {"Idempotency-Key": str(uuid.uuid4())}

    def read() -> tuple[str, int]:
        stream = check.client(secret, relay.url).chat.completions.create(
            model=model,
            messages=MESSAGES,
            max_tokens=24,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=name,
        )
        text, cost = "", 0
        for event in stream:
            text += "".join(choice.delta.content or "" for choice in event.choices)
            cost = event.usage.total_cost if event.usage else cost
        return text, cost

    try:
        cut = read()
    except Exception as error:  # Of which kind, the package leaves to its HTTP library.
        print(f"the stream broke off: {type(error).__name__}")
    else:
        raise AssertionError(f"the stream did not break off: {cut}")
    text, cost = read()
    assert text and cost, (text, cost)
    assert read() == (text, cost), "a replay differs"
    spent = check.account(secret)["spent"]
    assert int(spent) == cost, (spent, cost)
    print(f"a stream that broke off, from its beginning: charged once, {spent} nanoton")


def main() -> None:
    check = Check(*sys.argv[1:4])
    model = check.client("none").models.list().data[0].id
    keys(check, model)
    rates(check, model)
    plain(check, model)
    streamed(check, model)
    print(f"openai {openai.__version__}, access: passed")


main()
