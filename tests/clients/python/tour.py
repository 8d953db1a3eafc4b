"""A tour of the machine.v1 API: makes two machines, follows, lists, watches and removes them.

tour.py ADDRESS [--cookie-file FILE] [--ca FILE --cert FILE --key FILE]
        NAME DRIVER [OPTION=VALUE...] [--run COMMAND] [--blocked OPTION=VALUE,...]

ADDRESS is "unix:/path" with the cookie of server.json, or "host:port" with certificates. Prints a
line for each thing that worked; the first one that does not ends it with status 1. OPTION=VALUE
are options of the driver. --run logs in and runs a command. --blocked are options of a `generic`
machine whose create cannot end, for something to cancel.
"""

import argparse
import json
import sys
import uuid

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import field_mask_pb2
from google.rpc import error_details_pb2, status_pb2
from machine.v1 import (drivers_pb2, drivers_pb2_grpc, machine_pb2, machines_pb2, machines_pb2_grpc,
                        operations_pb2 as events_pb2, operations_pb2_grpc as events_pb2_grpc,
                        sessions_pb2, sessions_pb2_grpc)


class OperationFailed(Exception):
    """An operation that ended with an error; `status` is a google.rpc.Status."""

    def __init__(self, status):
        super().__init__(status.message)
        self.status = status


def reason_of(status):
    """The reason of a google.rpc.Status, one of machine/v1/error_reason.proto; empty for none."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def reason_of_call(error):
    """The same for a call that failed: the status travels in the trailing metadata."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return reason_of(status_pb2.Status.FromString(value))
    return ""


def connect(arguments):
    """A channel and the metadata that each call on it needs."""
    if arguments.cookie_file:
        with open(arguments.cookie_file, encoding="utf-8") as file:
            cookie = json.load(file)["cookie"]
        return grpc.insecure_channel(arguments.address), (("x-machine-cookie", cookie),)
    contents = []
    for path in (arguments.ca, arguments.key, arguments.cert):
        with open(path, "rb") as file:
            contents.append(file.read())
    return grpc.secure_channel(arguments.address, grpc.ssl_channel_credentials(*contents)), ()


class Tour:
    def __init__(self, channel, metadata):
        self.metadata = metadata
        self.drivers = drivers_pb2_grpc.DriversStub(channel)
        self.machines = machines_pb2_grpc.MachinesStub(channel)
        self.operations = operations_pb2_grpc.OperationsStub(channel)
        self.events = events_pb2_grpc.OperationEventsStub(channel)
        self.sessions = sessions_pb2_grpc.SessionsStub(channel)

    def call(self, method, request, timeout=30):
        return method(request, timeout=timeout, metadata=self.metadata)

    def create(self, name, driver, options, label):
        request = machines_pb2.CreateMachineRequest(
            machine_id=name,
            machine=machine_pb2.Machine(driver=driver, labels={"tour": label}),
            request_id=str(uuid.uuid4()))  # repeated after a lost answer, it makes nothing twice
        request.machine.driver_options.extend(self.typed(driver, options))
        return self.call(self.machines.CreateMachine, request)

    def typed(self, driver, options):
        """OPTION=VALUE as the type that the driver's own description gives the option."""
        info = self.call(self.drivers.GetDriver, drivers_pb2.GetDriverRequest(name=driver))
        types = {flag.name: flag.type for flag in info.flags}
        for option in options:
            key, _, text = option.partition("=")
            value = machine_pb2.OptionValue(name=key)
            if types.get(key) == drivers_pb2.FlagSpec.INT:
                value.int_value = int(text)
            elif types.get(key) == drivers_pb2.FlagSpec.BOOL:
                value.bool_value = text == "true"
            elif types.get(key) == drivers_pb2.FlagSpec.STRING_LIST:
                value.list_value.values.extend(text.split(","))
            else:
                value.string_value = text
            yield value

    def follow(self, operation):
        """Waits for an operation by its events, and loses the connection after the first one."""
        sequence, lost = 0, False
        if operation.done:  # there was nothing to do
            return
        while True:
            stream = self.events.WatchOperation(
                events_pb2.WatchOperationRequest(name=operation.name, after_sequence=sequence),
                metadata=self.metadata)
            for event in stream:
                if event.sequence != sequence + 1:
                    raise RuntimeError(f"event {event.sequence} follows {sequence}")
                sequence = event.sequence
                if event.WhichOneof("event") == "operation":
                    if event.operation.HasField("error"):
                        raise OperationFailed(event.operation.error)
                    return
                if not lost:
                    lost = True
                    stream.cancel()
                    break

    def list(self, tour):
        request = machines_pb2.ListMachinesRequest(
            page_size=1, filter=f'labels.tour = "{tour}"',
            read_mask=field_mask_pb2.FieldMask(paths=["name"]))
        while True:
            page = self.call(self.machines.ListMachines, request)
            yield from (machine.name for machine in page.machines)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def watch_a_change(self, name, tour):
        """Watches from the start, loses the connection, changes a label and resumes."""
        request = machines_pb2.WatchMachinesRequest(
            filter=f'labels.tour = "{tour}"', send_initial=True)
        seen = self.machines.WatchMachines(request, metadata=self.metadata)
        count, token = 0, ""
        for event in seen:
            # The token of a list is that of the bookmark at its end.
            token = event.resume_token or token
            if event.type == machines_pb2.MachineEvent.BOOKMARK:
                break
            count += 1
        seen.cancel()
        machine = machine_pb2.Machine(name=f"machines/{name}", labels={"tour": tour, "seen": "yes"})
        self.call(self.machines.UpdateMachine, machines_pb2.UpdateMachineRequest(machine=machine))
        resumed = self.machines.WatchMachines(
            machines_pb2.WatchMachinesRequest(filter=request.filter, resume_token=token),
            metadata=self.metadata)
        change = next(e for e in resumed if e.machine.labels.get("seen") == "yes")
        resumed.cancel()
        return count, machines_pb2.MachineEvent.Type.Name(change.type), change.machine.name

    def run(self, name, command):
        def requests():
            start = sessions_pb2.ExecStart(name=f"machines/{name}", command=command)
            yield sessions_pb2.ExecRequest(start=start)
            yield sessions_pb2.ExecRequest(eof=True)

        output, code = b"", None
        for answer in self.sessions.Exec(requests(), metadata=self.metadata):
            output += answer.stdout
            if answer.WhichOneof("kind") == "exit":
                code = answer.exit.code
        return output.decode().strip(), code

    def outcome(self, method, request):
        """Runs an operation to its end: "done", or the reason why not."""
        try:
            self.follow(self.call(method, request))
            return "done"
        except grpc.RpcError as error:
            return f"{error.code().name} {reason_of_call(error)}"
        except OperationFailed as error:
            return f"{grpc_code(error.status.code)} {reason_of(error.status)}"

    def remove(self, name):
        return self.outcome(self.machines.DeleteMachine,
                            machines_pb2.DeleteMachineRequest(name=f"machines/{name}",
                                                             allow_missing=True))

    def cancelled_create(self, name, options, tour):
        operation = self.create(name, "generic", options, tour)
        self.call(self.operations.CancelOperation,
                  operations_pb2.CancelOperationRequest(name=operation.name))
        try:
            self.follow(operation)
            return "done"
        except OperationFailed as error:
            return f"{grpc_code(error.status.code)} {reason_of(error.status)}"


def grpc_code(number):
    return next(code.name for code in grpc.StatusCode if code.value[0] == number)


def take(tour, arguments):
    name = arguments.name
    first, second = f"{name}-1", f"{name}-2"
    for machine in (first, second):
        tour.follow(tour.create(machine, arguments.driver, arguments.options, name))
        print(f"created {machine}")
    try:
        tour.create(first, arguments.driver, arguments.options, name)
    except grpc.RpcError as error:
        print(f"created again: {error.code().name} {reason_of_call(error)}")
    print("listed by pages of one:", ", ".join(tour.list(name)))
    print("watched: %d, then %s %s" % tour.watch_a_change(first, name))
    target = f"machines/{first}"
    print("stopped:", tour.outcome(tour.machines.StopMachine,
                                   machines_pb2.StopMachineRequest(name=target)))
    print("started:", tour.outcome(tour.machines.StartMachine,
                                   machines_pb2.StartMachineRequest(name=target)))
    if arguments.run:
        print("ran: %s, exit status %d" % tour.run(first, arguments.run))
    if arguments.blocked:
        print("cancelled:", tour.cancelled_create(f"{name}-3", arguments.blocked.split(","), name))
        print("removed:", tour.remove(f"{name}-3"))
    for machine in (first, second):
        print("removed:", tour.remove(machine))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address")
    parser.add_argument("name")
    parser.add_argument("driver")
    parser.add_argument("options", nargs="*")
    parser.add_argument("--cookie-file")
    parser.add_argument("--ca")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--run")
    parser.add_argument("--blocked")
    arguments = parser.parse_intermixed_args()
    channel, metadata = connect(arguments)
    with channel:
        try:
            take(Tour(channel, metadata), arguments)
        except grpc.RpcError as error:
            sys.exit(f"tour.py: {error.code().name} {reason_of_call(error)}: {error.details()}")
        except OperationFailed as error:
            sys.exit(f"tour.py: {reason_of(error.status)}: {error}")


if __name__ == "__main__":
    main()
