"""moto as a server on 127.0.0.1 that verifies every signature, and refuses what botocore's model of
EC2 does not know: moto itself passes over parameters that are unknown or mistyped.

Prints one line, "listening URL ACCESS_KEY SECRET_KEY", and serves until its standard input ends.
"""
import io
import json
import os
import sys
import threading
import urllib.parse

# From the first request on: the account is made below, not by requests.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

import botocore.session
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

MODEL = botocore.session.get_session().get_service_model("ec2")

def query_name(name, member):
    serialization = member.serialization
    if "queryName" in serialization:
        return serialization["queryName"]
    wire = serialization.get("name", name)
    return wire[0].upper() + wire[1:]

def insert(tree, path, value):
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ValueError(".".join(path) + " is below a text")
    if isinstance(tree.get(path[-1]), dict):
        raise ValueError(".".join(path) + " is a text and a structure")
    tree[path[-1]] = value

def check_structure(shape, value, where):
    members = {query_name(name, member): member for name, member in shape.members.items()}
    for required in shape.required_members:
        if query_name(required, shape.members[required]) not in value:
            raise ValueError(where + ": " + required + " is missing")
    for name, child in value.items():
        if name not in members:
            raise ValueError(where + ": " + name + " is unknown")
        check(members[name], child, where + "." + name)

def check_list(shape, value, where):
    if sorted(value, key=int) != [str(i + 1) for i in range(len(value))]:
        raise ValueError(where + " does not count from 1")
    for i, child in value.items():
        check(shape.member, child, where + "." + i)

def check_text(shape, value, where):
    kind = shape.type_name
    if kind in ("integer", "long"):
        int(value)
    elif kind in ("float", "double"):
        float(value)
    elif kind == "boolean" and value not in ("true", "false"):
        raise ValueError(where + " is neither true nor false")
    values = getattr(shape, "enum", None)
    if values and value not in values:
        raise ValueError(where + " may not be " + value)

def check(shape, value, where):
    """Raises ValueError where `value` does not fit `shape`."""
    kind = shape.type_name
    if (kind in ("structure", "list")) != isinstance(value, dict):
        raise ValueError(where + " is not a " + kind)
    {"structure": check_structure, "list": check_list}.get(kind, check_text)(shape, value, where)

def check_request(body):
    form = urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True)
    fields = dict(form)
    if len(fields) != len(form):
        raise ValueError("a parameter comes twice")
    if fields.pop("Version", None) != MODEL.api_version:
        raise ValueError("another version than " + MODEL.api_version)
    action = fields.pop("Action", "")
    if action not in MODEL.operation_names:
        raise ValueError("no action " + action)
    tree = {}
    for name, value in fields.items():
        insert(tree, name.split("."), value)
    check_structure(MODEL.operation_model(action).input_shape, tree, action)

class CheckedApp:
    """Puts the check in front of moto."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        if "/ec2/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            try:
                check_request(body.decode())
            except ValueError as error:
                answer = ("<Response><Errors><Error><Code>DoesNotFitTheModel</Code><Message>"
                          + str(error).replace("<", "&lt;")
                          + "</Message></Error></Errors></Response>").encode()
                start_response("400 Bad Request", [("Content-Type", "text/xml"),
                                                   ("Content-Length", str(len(answer)))])
                return [answer]

            environ["wsgi.input"] = io.BytesIO(body)
        return self.app(environ, start_response)

class QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *unused):
        pass

def make_account():
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_user(region_name="us-east-1", user_name="machine")
    everything = {"Version": "2012-10-17",
                  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy("machine", "all", json.dumps(everything))
    return iam.create_access_key("machine")

def add_ubuntu():
    """moto's own list of images has no Ubuntu of this decade, and its SSM none of Canonical's names."""
    image = ec2_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].register_image(
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261101")
    image.owner_id = "099720109477"
    image.architecture = "x86_64"
    image.root_device_name = "/dev/sda1"


def main():
    key = make_account()
    add_ubuntu()
    app = CheckedApp(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening http://127.0.0.1:%d %s %s"
          % (server.server_port, key.access_key_id, key.secret_access_key), flush=True)
    sys.stdin.read()

if __name__ == "__main__":
    main()
