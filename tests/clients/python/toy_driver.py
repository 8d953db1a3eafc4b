"""A driver in Python: the whole of driver.v1 for a toy provider that lives in this process.

toy_driver.py [--listen ADDRESS] [--ca FILE --cert FILE --key FILE]

Serves until it is ended, and prints the address it listens on. With certificates, callers must show
one that the CA signed. Machines are entries of a dictionary; a real driver asks its provider there.
"""

import argparse
import concurrent.futures

import grpc
from driver.v1 import driver_pb2 as d, driver_pb2_grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from machine.v1 import machine_pb2 as m
from machine.v1.drivers_pb2 import FlagSpec

TEXT = FlagSpec.STRING
FLAGS = {flag.name: flag for flag in (
    FlagSpec(name="toy-size", type=TEXT, usage="Size of the toy", env_vars=["TOY_SIZE"],
             allowed_values=["small", "large"],
             default_value=m.OptionValue(name="toy-size", string_value="small")),
    FlagSpec(name="toy-token", type=TEXT, usage="Token of the account", env_vars=["TOY_TOKEN"],
             required=True, secret=True))}
CAPABILITIES = [d.CAPABILITY_LIST_INSTANCES, d.CAPABILITY_KILL, d.CAPABILITY_NO_SSH,
                d.CAPABILITY_POWER, d.CAPABILITY_RESTART]
Code = grpc.StatusCode
ENDPOINT = m.Endpoint(ip_addresses=["127.0.0.1"], docker_url="tcp://127.0.0.1:2375",
                      docker_plaintext=True)
GONE = (Code.NOT_FOUND, "INSTANCE_GONE", "the instance is gone")


def fail(context, code, reason, message, **metadata):
    """Ends the call with a status that carries the reason."""
    detail = any_pb2.Any()
    detail.Pack(ErrorInfo(reason=reason, domain="machine", metadata=metadata))
    status = status_pb2.Status(code=code.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


def refuse(context, reason, message):
    fail(context, Code.INVALID_ARGUMENT, reason, message)


class ToyDriver(driver_pb2_grpc.DriverServicer):
    def __init__(self):
        self.instances = {}  # the provider: uid -> {"size", "owner", "state"}
        self.tokens = {}     # uid -> newest fencing token

    def check(self, machine, context, acting=False):
        """What holds for every call about a machine; returns its uid."""
        uid = machine.context.machine_uid
        if not uid:
            refuse(context, "BAD_FIELD", "machine_uid is missing")
        if machine.state.version > 1:
            fail(context, Code.FAILED_PRECONDITION, "STATE_TOO_NEW", "the state is newer than this")
        if acting:
            if machine.context.fencing_token < self.tokens.get(uid, 0):
                fail(context, Code.ABORTED, "STALE_FENCING_TOKEN", "a newer operation has begun")
            self.tokens[uid] = machine.context.fencing_token
        return uid

    def observe(self, uid):
        instance = self.instances.get(uid)
        if instance is None:
            return d.Observation(state=m.MACHINE_STATE_NOT_FOUND)
        return d.Observation(state=instance["state"], instance_id=f"toy-{uid}", endpoint=ENDPOINT)

    def act(self, request, context, state):
        """Brings an instance into a state: a goal, so that repeating it does no harm."""
        uid = self.check(request.machine, context, acting=True)
        if uid not in self.instances:
            fail(context, *GONE)
        self.instances[uid]["state"] = state
        yield d.ActionEvent(result=self.observe(uid))

    def Handshake(self, request, context):
        if not request.min_api <= 1 <= request.max_api:
            fail(context, Code.FAILED_PRECONDITION, "DRIVER_API_MISMATCH", "no API in common",
                 driver_min_api="1", orchestrator_min_api=str(request.min_api),
                 driver_max_api="1", orchestrator_max_api=str(request.max_api))
        return d.HandshakeResponse(api=1, driver_name="toy", driver_version="1.0", state_version=1,
                                   capabilities=CAPABILITIES, max_concurrent_calls=8)

    def GetCreateFlags(self, request, context):
        return d.GetCreateFlagsResponse(flags=FLAGS.values())

    def ValidateOptions(self, request, context):
        given = {option.name: option for option in request.options}
        for name, option in given.items():
            flag = FLAGS.get(name)
            if flag is None:
                refuse(context, "UNKNOWN_DRIVER_OPTION", f"--{name}: no such flag")
            value = option.string_value or option.secret_value
            if not value or flag.allowed_values and value not in flag.allowed_values:
                refuse(context, "OPTION_OUT_OF_RANGE", f"--{name}: not a value it takes")
        for name, flag in FLAGS.items():
            if name not in given and flag.required:
                refuse(context, "OPTION_OUT_OF_RANGE", f"--{name} or {flag.env_vars[0]} is missing")
            given.setdefault(name, flag.default_value)
        return d.ValidateOptionsResponse(normalized_options=(given[name] for name in FLAGS))

    def PreCreateCheck(self, request, context):
        self.check(request.machine, context)
        yield from ()

    def Create(self, request, context):
        uid = self.check(request.machine, context, acting=True)
        size = next(o.string_value for o in request.machine.options if o.name == "toy-size")
        # Looked up before it is made: a repeated create adopts what the first one left.
        owner = request.machine.context.orchestrator_id
        instance = self.instances.setdefault(uid, {"size": size, "owner": owner})
        if instance["size"] != size:
            fail(context, Code.ALREADY_EXISTS, "INSTANCE_DIFFERS", f"it is {instance['size']}")
        instance["state"] = m.MACHINE_STATE_RUNNING
        yield d.ActionEvent(update=d.Update(checkpoint=d.DriverState(version=1)))
        yield d.ActionEvent(result=self.observe(uid))

    def Start(self, request, context):
        yield from self.act(request, context, m.MACHINE_STATE_RUNNING)

    def Stop(self, request, context):
        yield from self.act(request, context, m.MACHINE_STATE_STOPPED)

    Kill, Restart = Stop, Start

    def Remove(self, request, context):
        self.instances.pop(self.check(request.machine, context, acting=True), None)
        yield d.ActionEvent(result=d.Observation(state=m.MACHINE_STATE_NOT_FOUND))

    def GetIP(self, request, context):
        if self.check(request.machine, context) not in self.instances:
            fail(context, *GONE)
        return d.GetIPResponse(ip_address="127.0.0.1")

    def GetState(self, request, context):
        return d.GetStateResponse(state=self.observe(self.check(request.machine, context)).state)

    def Inspect(self, request, context):
        return d.InspectResponse(observation=self.observe(self.check(request.machine, context)))

    def BatchInspect(self, request, context):
        if len(request.machines) > 500:
            refuse(context, "BAD_FIELD", "machines: at most 500")
        uids = [self.check(machine, context) for machine in request.machines]
        return d.BatchInspectResponse(observations=map(self.observe, uids))

    def ListInstances(self, request, context):
        for uid, instance in list(self.instances.items()):
            if instance["owner"] == request.orchestrator_id:
                yield d.ListInstancesResponse(machine_uid=uid, observation=self.observe(uid))

    def UpgradeState(self, request, context):
        return d.UpgradeStateResponse(state=d.DriverState(version=1))

    def Shutdown(self, request, context):
        server.stop(grace=10)
        return empty_pb2.Empty()


parser = argparse.ArgumentParser()
parser.add_argument("--listen", default="127.0.0.1:0")
for flag in ("--ca", "--cert", "--key"):
    parser.add_argument(flag, type=lambda path: open(path, "rb").read())
arguments = parser.parse_args()
server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
driver_pb2_grpc.add_DriverServicer_to_server(ToyDriver(), server)
if arguments.ca:
    port = server.add_secure_port(arguments.listen, grpc.ssl_server_credentials(
        [(arguments.key, arguments.cert)], arguments.ca, require_client_auth=True))
else:
    port = server.add_insecure_port(arguments.listen)
server.start()
print(f"{arguments.listen.rpartition(':')[0]}:{port}", flush=True)
server.wait_for_termination()
