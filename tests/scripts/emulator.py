"""A Lambda function under the runtime interface emulator, and the events that AWS would send it. Standard library only."""

import functools
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent.parent
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml"))
TEMPLATE = (ROOT / "template.yaml").read_text()
ROUTES = re.findall(r"RouteKey: ([A-Z]+ /\S+)", TEMPLATE)
# Functions that answer HTTP requests: `ChannelSettingsIntegration` is the route's way to `channel-settings`.
HTTP_FUNCTIONS = sorted(
    {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in re.findall(r"integrations/\$\{(\w+)Integration\}", TEMPLATE)}
)

# Any will do for servers on this machine, but the SDK refuses to send a request without.
AWS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}


def bootstrap(name):
    """Where `tests/scripts/build-lambdas` leaves a function."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "lambda" / name / "bootstrap"


@functools.cache
def fetch_emulator():
    """Once, before several instances would each fetch it."""
    subprocess.run([SCRIPTS / "tool", "rie"], check=True, stdout=subprocess.DEVNULL)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Function:
    """One instance: nothing runs before the first `invoke`, as on Lambda. Leaving the `with` block kills it."""

    def __init__(self, name, environment, log):
        fetch_emulator()
        self.name, self.port, self.inner_port = name, free_port(), free_port()
        self.process = subprocess.Popen(
            [SCRIPTS / "rie", bootstrap(name), str(self.port), str(self.inner_port)],
            # Nothing of this machine's environment: what a function needs has to come from `environment`.
            env={"PATH": os.environ["PATH"], **AWS, **environment},
            stdout=log,
            stderr=log,
            # A group of its own, so that the emulator's child goes with it.
            start_new_session=True,
        )

    def __enter__(self):
        # Both: a bootstrap that finds nobody at the inner port gives up at once.
        for port in (self.port, self.inner_port):
            self.wait_for(port)
        return self

    def wait_for(self, port):
        deadline = time.monotonic() + 60
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError(f"the emulator of {self.name} did not start") from None
                time.sleep(0.005)

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def invoke(self, event):
        """The function's answer to one event, decoded."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        # The emulator answers 200 also for a function that failed.
        if response.status != 200 or b'"errorMessage"' in answer[:200]:
            raise RuntimeError(f"{self.name} failed: {response.status} {answer}")
        return json.loads(answer)

    def call(self, method, url, body=None, **headers):
        """Status, headers and decoded body of an HTTP request, sent as API Gateway does."""
        answer = self.invoke(api_event(method, url, body, headers))
        names = {name.lower(): value for name, value in (answer.get("headers") or {}).items()}
        return answer["statusCode"], names, json.loads(answer["body"]) if answer.get("body") else None


def route(method, path):
    """The template's route that API Gateway would choose, and what the path says for its parameters."""
    for key in ROUTES:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", key)
        if found := re.fullmatch(pattern, f"{method} {path}"):
            return key, found.groupdict()
    return "$default", {}


def api_event(method, url, body=None, headers=None):
    """API Gateway's HTTP API event, payload format 2.0. `idempotency_key=…` becomes `idempotency-key: …`."""
    path, query = urlsplit(url).path, urlsplit(url).query
    route_key, path_parameters = route(method, path)
    headers = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    event = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example",
            "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route_key,
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "isBase64Encoded": False,
    }
    # Absent rather than empty, as AWS does it.
    if path_parameters:
        event["pathParameters"] = path_parameters
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query))
    if body is not None:
        headers.setdefault("content-type", "application/json")
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


class DynamoDb:
    """The few raw calls that a test needs of a DynamoDB on this machine, which does not check signatures."""

    def __init__(self, endpoint):
        self.address = urlsplit(endpoint).netloc

    def __call__(self, action, **parameters):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        credential = "Credential=local/20200101/us-east-1/dynamodb/aws4_request"
        connection.request(
            "POST",
            "/",
            json.dumps(parameters),
            {
                "X-Amz-Target": f"DynamoDB_20120810.{action}",
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Date": "20200101T000000Z",
                "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=none",
            },
        )
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{action}: {body}")
        return body

    def create_table(self, name):
        """The table of `template.yaml`."""
        self(
            "CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in ("pk", "list", "rank")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "lists",
                    "KeySchema": [
                        {"AttributeName": "list", "KeyType": "HASH"},
                        {"AttributeName": "rank", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
