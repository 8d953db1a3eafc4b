// A tour of the machine.v1 API: makes two machines, follows, lists, watches and removes them.
//
//	tour [--cookie-file FILE] [--ca FILE --cert FILE --key FILE] [--run COMMAND]
//	     [--blocked OPTION=VALUE,...] ADDRESS NAME DRIVER [OPTION=VALUE...]
//
// ADDRESS is "unix:/path" with the cookie of server.json, or "host:port" with certificates. Prints a
// line for each thing that worked; the first one that does not ends it with status 1. OPTION=VALUE
// are options of the driver. --run logs in and runs a command. --blocked are options of a `generic`
// machine whose create cannot end, for something to cancel.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	pb "tour/machine/v1"
)

const timeout = 30 * time.Second

// explain gives code and reason of a call's or an operation's error: the reason is one of
// machine/v1/error_reason.proto.
func explain(err error) string {
	s := status.Convert(err)
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return canonical[s.Code()] + " " + info.Reason
		}
	}
	return canonical[s.Code()]
}

// Names of the codes as the other languages write them.
var canonical = map[codes.Code]string{
	codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.NotFound: "NOT_FOUND",
	codes.AlreadyExists: "ALREADY_EXISTS", codes.PermissionDenied: "PERMISSION_DENIED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.FailedPrecondition: "FAILED_PRECONDITION",
	codes.Aborted: "ABORTED", codes.Unimplemented: "UNIMPLEMENTED", codes.Internal: "INTERNAL",
	codes.Unavailable: "UNAVAILABLE", codes.DataLoss: "DATA_LOSS",
	codes.Unauthenticated: "UNAUTHENTICATED",
}

func connect(address, cookieFile, ca, cert, key string) (*grpc.ClientConn, context.Context, error) {
	ctx := context.Background()
	if cookieFile != "" {
		text, err := os.ReadFile(cookieFile)
		if err != nil {
			return nil, nil, err
		}
		var server struct{ Cookie string }
		if err := json.Unmarshal(text, &server); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", cookieFile, err)
		}
		connection, err := grpc.NewClient(address,
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		return connection, metadata.AppendToOutgoingContext(ctx, "x-machine-cookie", server.Cookie), err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, nil, err
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, nil, fmt.Errorf("%s: no certificate in it", ca)
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(
		&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots})))
	return connection, ctx, err
}

type tour struct {
	ctx        context.Context // with the cookie, if there is one
	drivers    pb.DriversClient
	machines   pb.MachinesClient
	operations longrunningpb.OperationsClient
	events     pb.OperationEventsClient
	sessions   pb.SessionsClient
}

// typed reads OPTION=VALUE as the type that the driver's own description gives the option.
func (t *tour) typed(ctx context.Context, driver string, options []string) ([]*pb.OptionValue, error) {
	info, err := t.drivers.GetDriver(ctx, &pb.GetDriverRequest{Name: driver})
	if err != nil {
		return nil, err
	}
	types := map[string]pb.FlagSpec_Type{}
	for _, spec := range info.Flags {
		types[spec.Name] = spec.Type
	}
	var values []*pb.OptionValue
	for _, option := range options {
		name, text, _ := strings.Cut(option, "=")
		value := &pb.OptionValue{Name: name}
		switch types[name] {
		case pb.FlagSpec_INT:
			number, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, err
			}
			value.Value = &pb.OptionValue_IntValue{IntValue: number}
		case pb.FlagSpec_BOOL:
			value.Value = &pb.OptionValue_BoolValue{BoolValue: text == "true"}
		case pb.FlagSpec_STRING_LIST:
			value.Value = &pb.OptionValue_ListValue{
				ListValue: &pb.StringList{Values: strings.Split(text, ",")}}
		default:
			value.Value = &pb.OptionValue_StringValue{StringValue: text}
		}
		values = append(values, value)
	}
	return values, nil
}

func (t *tour) create(name, driver string, options []string, label string) (*longrunningpb.Operation, error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	values, err := t.typed(ctx, driver, options)
	if err != nil {
		return nil, err
	}
	return t.machines.CreateMachine(ctx, &pb.CreateMachineRequest{
		MachineId: name,
		Machine:   &pb.Machine{Driver: driver, DriverOptions: values, Labels: map[string]string{"tour": label}},
		RequestId: rand.Text(), // repeated after a lost answer, it makes nothing twice
	})
}

// follow waits for an operation by its events, and loses the connection after the first one.
func (t *tour) follow(operation *longrunningpb.Operation) error {
	if operation.Done { // there was nothing to do
		return status.ErrorProto(operation.GetError())
	}
	sequence, lost := int64(0), false
	for {
		ctx, cancel := context.WithCancel(t.ctx)
		stream, err := t.events.WatchOperation(ctx,
			&pb.WatchOperationRequest{Name: operation.Name, AfterSequence: sequence})
		for err == nil {
			var event *pb.OperationEvent
			if event, err = stream.Recv(); err != nil {
				break
			}
			if event.Sequence != sequence+1 {
				cancel()
				return fmt.Errorf("event %d follows %d", event.Sequence, sequence)
			}
			sequence = event.Sequence
			if done := event.GetOperation(); done != nil {
				cancel()
				return status.ErrorProto(done.GetError())
			}
			if !lost {
				lost = true
				break
			}
		}
		cancel()
		if err != nil {
			return err
		}
	}
}

func (t *tour) list(label string) ([]string, error) {
	var names []string
	request := &pb.ListMachinesRequest{PageSize: 1, Filter: fmt.Sprintf("labels.tour = %q", label),
		ReadMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}}}
	for {
		ctx, cancel := context.WithTimeout(t.ctx, timeout)
		page, err := t.machines.ListMachines(ctx, request)
		cancel()
		if err != nil {
			return nil, err
		}
		for _, machine := range page.Machines {
			names = append(names, machine.Name)
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			return names, nil
		}
	}
}

// watch reads events until one is the last wanted, which it returns with the number before it.
func (t *tour) watch(request *pb.WatchMachinesRequest, last func(*pb.MachineEvent) bool) (int, string, *pb.MachineEvent, error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	stream, err := t.machines.WatchMachines(ctx, request)
	if err != nil {
		return 0, "", nil, err
	}
	for count, token := 0, ""; ; count++ {
		event, err := stream.Recv()
		if err != nil {
			return 0, "", nil, err
		}
		// The token of a list is that of the bookmark at its end.
		if event.ResumeToken != "" {
			token = event.ResumeToken
		}
		if last(event) {
			return count, token, event, nil
		}
	}
}

// watchAChange watches from the start, loses the connection, changes a label and resumes.
func (t *tour) watchAChange(name, label string) error {
	filter := fmt.Sprintf("labels.tour = %q", label)
	initial, token, _, err := t.watch(&pb.WatchMachinesRequest{Filter: filter, SendInitial: true},
		func(e *pb.MachineEvent) bool { return e.Type == pb.MachineEvent_BOOKMARK })
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	if _, err := t.machines.UpdateMachine(ctx, &pb.UpdateMachineRequest{Machine: &pb.Machine{
		Name: "machines/" + name, Labels: map[string]string{"tour": label, "seen": "yes"}}}); err != nil {
		return err
	}
	_, _, change, err := t.watch(&pb.WatchMachinesRequest{Filter: filter, ResumeToken: token},
		func(e *pb.MachineEvent) bool { return e.GetMachine().GetLabels()["seen"] == "yes" })
	if err == nil {
		fmt.Printf("watched: %d, then %s %s\n", initial, change.Type, change.Machine.Name)
	}
	return err
}

func (t *tour) run(name, command string) error {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	stream, err := t.sessions.Exec(ctx)
	if err != nil {
		return err
	}
	start := &pb.ExecStart{Name: "machines/" + name, Command: command}
	if err := errors.Join(
		stream.Send(&pb.ExecRequest{Kind: &pb.ExecRequest_Start{Start: start}}),
		stream.Send(&pb.ExecRequest{Kind: &pb.ExecRequest_Eof{Eof: true}})); err != nil {
		return err
	}
	var output strings.Builder
	var exit *pb.ExitStatus
	for {
		answer, err := stream.Recv()
		if err == io.EOF {
			fmt.Printf("ran: %s, exit status %d\n", strings.TrimSpace(output.String()), exit.GetCode())
			return nil
		}
		if err != nil {
			return err
		}
		output.Write(answer.GetStdout())
		if answer.GetExit() != nil {
			exit = answer.GetExit()
		}
	}
}

// outcome follows an operation to its end: "done", or the reason why not.
func (t *tour) outcome(operation *longrunningpb.Operation, err error) string {
	if err == nil {
		err = t.follow(operation)
	}
	if err != nil {
		return explain(err)
	}
	return "done"
}

func (t *tour) remove(name string) string {
	return t.outcome(t.machines.DeleteMachine(t.ctx,
		&pb.DeleteMachineRequest{Name: "machines/" + name, AllowMissing: true}))
}

func (t *tour) cancelledCreate(name string, options []string, label string) (string, error) {
	operation, err := t.create(name, "generic", options, label)
	if err != nil {
		return "", err
	}
	if _, err := t.operations.CancelOperation(t.ctx,
		&longrunningpb.CancelOperationRequest{Name: operation.Name}); err != nil {
		return "", err
	}
	return t.outcome(operation, nil), nil
}

func (t *tour) take(name, driver string, options []string, run string, blocked []string) error {
	first, second := name+"-1", name+"-2"
	for _, machine := range []string{first, second} {
		operation, err := t.create(machine, driver, options, name)
		if err == nil {
			err = t.follow(operation)
		}
		if err != nil {
			return err
		}
		fmt.Println("created", machine)
	}
	if _, err := t.create(first, driver, options, name); err != nil {
		fmt.Println("created again:", explain(err))
	}
	names, err := t.list(name)
	if err != nil {
		return err
	}
	fmt.Println("listed by pages of one:", strings.Join(names, ", "))
	if err := t.watchAChange(first, name); err != nil {
		return err
	}
	fmt.Println("stopped:", t.outcome(t.machines.StopMachine(t.ctx,
		&pb.StopMachineRequest{Name: "machines/" + first})))
	fmt.Println("started:", t.outcome(t.machines.StartMachine(t.ctx,
		&pb.StartMachineRequest{Name: "machines/" + first})))
	if run != "" {
		if err := t.run(first, run); err != nil {
			return err
		}
	}
	if len(blocked) != 0 {
		result, err := t.cancelledCreate(name+"-3", blocked, name)
		if err != nil {
			return err
		}
		fmt.Println("cancelled:", result)
		fmt.Println("removed:", t.remove(name+"-3"))
	}
	fmt.Println("removed:", t.remove(first))
	fmt.Println("removed:", t.remove(second))
	return nil
}

func main() {
	cookieFile := flag.String("cookie-file", "", "server.json of a private orchestrator")
	ca := flag.String("ca", "", "certificate of the orchestrator's CA")
	cert := flag.String("cert", "", "certificate of the client")
	key := flag.String("key", "", "key of the client's certificate")
	run := flag.String("run", "", "command to run on the first machine")
	blocked := flag.String("blocked", "", "options of a create to cancel")
	flag.Parse()
	if flag.NArg() < 3 {
		flag.Usage()
		os.Exit(2)
	}
	connection, ctx, err := connect(flag.Arg(0), *cookieFile, *ca, *cert, *key)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
	t := &tour{ctx, pb.NewDriversClient(connection), pb.NewMachinesClient(connection),
		longrunningpb.NewOperationsClient(connection), pb.NewOperationEventsClient(connection),
		pb.NewSessionsClient(connection)}
	var options []string
	if *blocked != "" {
		options = strings.Split(*blocked, ",")
	}
	err = t.take(flag.Arg(1), flag.Arg(2), flag.Args()[3:], *run, options)
	connection.Close()
	if err != nil {
		fmt.Fprintf(os.Stderr, "tour: %s: %v\n", explain(err), err)
		os.Exit(1)
	}
}
