// A vCenter in memory: govmomi's simulator, with guests that boot, a template and a content library.
//
//	vcsim [-machines N] [-plain]
//
// Prints one line, "listening HOST PORT USER PASSWORD CERTIFICATE", where CERTIFICATE is the server's as DER in
// base64, or "-" with -plain. Then it takes commands on standard input, each answered by one line, until that ends:
//
//	expire                   ends all sessions
//	fault METHOD TYPE [N]    answers the next N (default 1) calls of METHOD with the fault TYPE
//	vanish UUID              deletes the virtual machine with that instance UUID
//	names                    the names of all virtual machines but the template
//	extra UUID KEY           an entry of a machine's extraConfig
//	files                    the files of the datastores, without the template's
//	orders                   what guests were told to run
//	calls METHOD             how often METHOD was called
//	item NAME                puts the template into the content library as an item of type vm-template
//	pod NAME FIRST           groups the datastores into a cluster whose Storage DRS recommends the datastore FIRST
//	nonet on|off             whether guests report their addresses in guest.net alone
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vapi/rest"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vapi/vcenter"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	user         = "machine@vsphere.local"
	password     = "correct horse"
	templateName = "ubuntu-24.04"
)

// Of a stream-optimised disk: its magic number, version 1, and the flag that it is compressed.
const diskHead = "KDMV\x01\x00\x00\x00\x00\x00\x01\x00"

const ovfText = `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
<References><File ovf:href="disk.vmdk" ovf:id="file1" ovf:size="1024"/></References>
<DiskSection><Info>disks</Info><Disk ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1"
 ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
</DiskSection>
<NetworkSection><Info>networks</Info><Network ovf:name="nat"><Description>nat</Description></Network></NetworkSection>
<VirtualSystem ovf:id="vm"><Info>a machine</Info><Name>noble</Name>
<OperatingSystemSection ovf:id="94"><Info>guest</Info></OperatingSystemSection>
<VirtualHardwareSection><Info>hardware</Info>
<System><vssd:ElementName>hw</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
<vssd:VirtualSystemIdentifier>noble</vssd:VirtualSystemIdentifier>
<vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType></System>
<Item><rasd:ElementName>cpu</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID>
<rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>memory</rasd:ElementName>
<rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
<rasd:VirtualQuantity>512</rasd:VirtualQuantity></Item>
<Item><rasd:Address>0</rasd:Address><rasd:ElementName>scsi</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID>
<rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
<Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>disk</rasd:ElementName>
<rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID>
<rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
<Item><rasd:AddressOnParent>7</rasd:AddressOnParent><rasd:Connection>nat</rasd:Connection>
<rasd:ElementName>net</rasd:ElementName><rasd:InstanceID>5</rasd:InstanceID>
<rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
</VirtualHardwareSection></VirtualSystem></Envelope>`

// Disk is the smallest text that passes for a stream-optimised disk of 1 GiB.
func disk() string {
	const sector = 512
	pad := func(text string) string { return text + strings.Repeat("\x00", sector-len(text)) }
	return pad(diskHead) + pad("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"+
		"createType=\"streamOptimized\"\nRW 2097152 SPARSE \"disk.vmdk\"\n")
}

// Guests takes orders for guests: each program ends well at once, for the account of a boot2docker.
type guests struct {
	mo.GuestProcessManager
	mu     sync.Mutex
	orders []string
}

func (g *guests) StartProgramInGuest(ctx *simulator.Context, req *types.StartProgramInGuest) soap.HasFault {
	body := new(methods.StartProgramInGuestBody)
	auth, ok := req.Auth.(*types.NamePasswordAuthentication)
	spec, isProgram := req.Spec.(*types.GuestProgramSpec)
	if !ok || !isProgram || auth.Username != "docker" || auth.Password != "tcuser" {
		body.Fault_ = simulator.Fault("", new(types.InvalidGuestLogin))
		return body
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orders = append(g.orders, spec.ProgramPath+" "+spec.Arguments)
	body.Res = &types.StartProgramInGuestResponse{Returnval: int64(len(g.orders))}
	return body
}

func (g *guests) ListProcessesInGuest(ctx *simulator.Context, req *types.ListProcessesInGuest) soap.HasFault {
	now := time.Now()
	var all []types.GuestProcessInfo
	for _, pid := range req.Pids {
		all = append(all, types.GuestProcessInfo{Pid: pid, StartTime: now, EndTime: &now})
	}
	return &methods.ListProcessesInGuestBody{Res: &types.ListProcessesInGuestResponse{Returnval: all}}
}

// Server holds what the commands act on.
type server struct {
	model *simulator.Model
	http  *simulator.Server
	only  atomic.Bool // Addresses in guest.net alone.
	guest guests
	mu    sync.Mutex
	calls map[string]int // Of each method of the SOAP API.
}

func (s *server) context() *simulator.Context { return s.model.Service.Context }

func (s *server) vms() []*simulator.VirtualMachine {
	var all []*simulator.VirtualMachine
	for _, entity := range s.model.Map().All("VirtualMachine") {
		vm, ok := entity.(*simulator.VirtualMachine)
		if ok && !vm.Config.Template {
			all = append(all, vm)
		}
	}
	return all
}

// Boot gives each machine that runs a guest with an address, and takes it from those that do not.
func (s *server) boot() {
	ctx := s.context()
	for i, vm := range s.vms() {
		s.model.Map().WithLock(ctx, vm, func() {
			on := vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
			up := vm.Guest != nil && vm.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
			if on == up {
				return
			}
			address, running := "", types.VirtualMachineToolsRunningStatusGuestToolsNotRunning
			var nics []types.GuestNicInfo
			if on {
				id, _ := strconv.Atoi(strings.TrimPrefix(vm.Self.Value, "vm-"))
				address = fmt.Sprintf("10.20.%d.%d", id/250%250, 1+id%250)
				running = types.VirtualMachineToolsRunningStatusGuestToolsRunning
				nics = []types.GuestNicInfo{{Network: "VM Network", DeviceConfigId: 4000, Connected: true,
					IpAddress: []string{"fe80::1", address, fmt.Sprintf("2001:db8::%x", i+1)}}}
				if s.only.Load() {
					address = ""
				}
			}
			ctx.Update(vm, []types.PropertyChange{
				{Name: "guest.ipAddress", Val: address},
				{Name: "guest.net", Val: nics},
				{Name: "guest.toolsRunningStatus", Val: string(running)},
			})
		})
	}
}

// Unmark makes a virtual machine of a template.
func (s *server) unmark(id string) {
	for _, entity := range s.model.Map().All("VirtualMachine") {
		if vm, ok := entity.(*simulator.VirtualMachine); ok && vm.Self.Value == id {
			s.model.Map().WithLock(s.context(), vm, func() {
				vm.Config.Template = false
				vm.Summary.Config.Template = false
			})
		}
	}
}

func (s *server) byUUID(uuid string) *simulator.VirtualMachine {
	for _, vm := range s.vms() {
		if vm.Config.InstanceUuid == uuid {
			return vm
		}
	}
	return nil
}

func (s *server) client(ctx context.Context) (*vim25.Client, error) {
	login := *s.http.URL
	login.User = url.UserPassword(user, password)
	c, err := vim25.NewClient(ctx, soap.NewClient(&login, true))
	if err != nil {
		return nil, err
	}
	return c, session.NewManager(c).Login(ctx, login.User)
}

func (s *server) expire(ctx context.Context) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	m := session.NewManager(c)
	own, err := m.UserSession(ctx)
	if err != nil {
		return err
	}
	var sessions mo.SessionManager
	pc := property.DefaultCollector(c)
	if err := pc.RetrieveOne(ctx, *c.ServiceContent.SessionManager, []string{"sessionList"}, &sessions); err != nil {
		return err
	}
	var ids []string
	for _, each := range sessions.SessionList {
		if each.Key != own.Key {
			ids = append(ids, each.Key)
		}
	}
	if len(ids) > 0 {
		if err := m.TerminateSession(ctx, ids); err != nil {
			return err
		}
	}
	return m.Logout(ctx)
}

func (s *server) fault(words []string) error {
	kind, ok := types.TypeFunc()(words[1])
	if !ok {
		return fmt.Errorf("no fault %s", words[1])
	}
	fault, ok := reflect.New(kind).Interface().(types.BaseMethodFault)
	if !ok {
		return fmt.Errorf("%s is no fault", words[1])
	}
	count := 1
	if len(words) > 2 {
		count, _ = strconv.Atoi(words[2])
	}
	s.model.Service.AddFaultRule(&simulator.FaultInjectionRule{MethodName: words[0], ObjectType: "*", ObjectName: "*",
		Probability: 1, FaultType: simulator.FaultTypeCustom, Fault: fault, Message: words[1], MaxCount: count,
		Enabled: true})
	return nil
}

func (s *server) files() string {
	var names []string
	for _, entity := range s.model.Map().All("Datastore") {
		root := entity.(*simulator.Datastore).Info.GetDatastoreInfo().Url
		root = strings.TrimPrefix(root, "file://")
		_ = filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
			name := strings.TrimPrefix(path, root)
			if err == nil && !info.IsDir() && !strings.Contains(name, templateName) && !strings.Contains(name, "contentlib") {
				names = append(names, strings.ReplaceAll(name, " ", "_"))
			}
			return nil
		})
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// Pod groups all datastores into a cluster.
func (s *server) pod(ctx context.Context, name, first string) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	folders, err := object.NewDatacenter(c, s.model.Map().Any("Datacenter").Reference()).Folders(ctx)
	if err != nil {
		return err
	}
	pod, err := folders.DatastoreFolder.CreateStoragePod(ctx, name)
	if err != nil {
		return err
	}
	var datastores []types.ManagedObjectReference
	for _, entity := range s.model.Map().All("Datastore") {
		datastores = append(datastores, entity.Reference())
	}
	sort.SliceStable(datastores, func(i, j int) bool {
		is := func(k int) bool { return s.model.Map().Get(datastores[k]).(*simulator.Datastore).Name == first }
		return is(i) && !is(j)
	})
	task, err := pod.MoveInto(ctx, datastores)
	if err != nil {
		return err
	}
	if err := task.Wait(ctx); err != nil {
		return err
	}
	task, err = object.NewStorageResourceManager(c).ConfigureStorageDrsForPod(ctx, pod, types.StorageDrsConfigSpec{
		PodConfigSpec: &types.StorageDrsPodConfigSpec{Enabled: types.NewBool(true)}}, true)
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}

func (s *server) obey(ctx context.Context, words []string) (string, error) {
	switch {
	case len(words) == 1 && words[0] == "expire":
		return "", s.expire(ctx)
	case len(words) >= 3 && words[0] == "fault":
		return "", s.fault(words[1:])
	case len(words) == 2 && words[0] == "nonet":
		s.only.Store(words[1] == "on")
		return "", nil
	case len(words) == 2 && words[0] == "calls":
		s.mu.Lock()
		defer s.mu.Unlock()
		return strconv.Itoa(s.calls[words[1]]), nil
	case len(words) == 2 && words[0] == "item":
		return "", s.item(ctx, words[1])
	case len(words) == 3 && words[0] == "pod":
		return "", s.pod(ctx, words[1], words[2])
	case len(words) == 1 && words[0] == "orders":
		s.guest.mu.Lock()
		defer s.guest.mu.Unlock()
		return strings.Join(s.guest.orders, " "), nil
	case len(words) == 1 && words[0] == "files":
		return s.files(), nil
	case len(words) == 1 && words[0] == "names":
		var names []string
		for _, vm := range s.vms() {
			names = append(names, vm.Name)
		}
		sort.Strings(names)
		return strings.Join(names, " "), nil
	case len(words) == 3 && words[0] == "extra":
		if vm := s.byUUID(words[1]); vm != nil {
			for _, option := range vm.Config.ExtraConfig {
				if value := option.GetOptionValue(); value.Key == words[2] {
					return fmt.Sprint(value.Value), nil
				}
			}
		}
		return "", nil
	case len(words) == 2 && words[0] == "vanish":
		vm := s.byUUID(words[1])
		if vm == nil {
			return "", fmt.Errorf("no machine %s", words[1])
		}
		var err error
		own := s.context()
		vm.PowerOffVMTask(own, &types.PowerOffVM_Task{This: vm.Self})
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOff || time.Now().After(end) {
				break
			}
		}
		vm.DestroyTask(own, &types.Destroy_Task{This: vm.Self})
		for end := time.Now().Add(5 * time.Second); s.byUUID(words[1]) != nil; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return "", fmt.Errorf("%s does not go", words[1])
			}
		}
		return "", err
	}
	return "", fmt.Errorf("unknown command %q", words)
}

// Library makes a content library with one OVF in it.
func (s *server) library(ctx context.Context) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	r := rest.NewClient(c)
	if err := r.Login(ctx, url.UserPassword(user, password)); err != nil {
		return err
	}
	m := library.NewManager(r)
	id, err := m.CreateLibrary(ctx, library.Library{Name: "images", Type: "LOCAL", Storage: []library.StorageBacking{
		{DatastoreID: s.model.Map().Any("Datastore").Reference().Value, Type: "DATASTORE"}}})
	if err != nil {
		return err
	}
	item, err := m.CreateLibraryItem(ctx, library.Item{LibraryID: id, Name: "noble", Type: library.ItemTypeOVF})
	if err != nil {
		return err
	}
	update, err := m.CreateLibraryItemUpdateSession(ctx, library.Session{LibraryItemID: item})
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"noble.ovf": ovfText, "disk.vmdk": disk()} {
		file, err := m.AddLibraryItemFile(ctx, update, library.UpdateFile{Name: name, SourceType: "PUSH", Size: int64(len(text))})
		if err != nil {
			return err
		}
		target, err := url.Parse(file.UploadEndpoint.URI)
		if err != nil {
			return err
		}
		parameters := soap.DefaultUpload
		parameters.ContentLength = int64(len(text))
		parameters.Headers = map[string]string{"vmware-api-session-id": update}
		if err := c.Upload(ctx, strings.NewReader(text), target, &parameters); err != nil {
			return err
		}
	}
	return m.CompleteLibraryItemUpdateSession(ctx, update)
}

// Item puts the template into the content library, too, where it is a template of its own.
func (s *server) item(ctx context.Context, name string) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	r := rest.NewClient(c)
	if err := r.Login(ctx, url.UserPassword(user, password)); err != nil {
		return err
	}
	images, err := library.NewManager(r).GetLibraryByName(ctx, "images")
	if err != nil {
		return err
	}
	var source string
	for _, entity := range s.model.Map().All("VirtualMachine") {
		if entity.(*simulator.VirtualMachine).Name == templateName {
			source = entity.Reference().Value
		}
	}
	folders, err := object.NewDatacenter(c, s.model.Map().Any("Datacenter").Reference()).Folders(ctx)
	if err != nil {
		return err
	}
	_, err = vcenter.NewManager(r).CreateTemplate(ctx, vcenter.Template{Name: name, Library: images.ID, SourceVM: source,
		Placement: &vcenter.Placement{Folder: folders.VmFolder.Reference().Value,
			ResourcePool: s.model.Map().Any("ResourcePool").Reference().Value}})
	return err
}

func run() error {
	machines := flag.Int("machines", 0, "how many machines of ours there are from the start")
	plain := flag.Bool("plain", false, "http, for measurements")
	flag.Parse()
	model := simulator.VPX()
	model.Host = 1
	model.Datastore = 2
	model.Pool = 1
	model.Machine = 1 + *machines/2 // In the host and in the pool each.
	model.Autostart = false
	defer model.Remove()
	if err := model.Create(); err != nil {
		return err
	}
	s := &server{model: model, calls: make(map[string]int)}
	model.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(user, password)}
	if !*plain {
		model.Service.TLS = new(tls.Config)
	}
	model.Service.RegisterEndpoints = true
	model.Service.HandleFunc("/boot2docker.iso", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "boot2docker.iso", time.Time{}, strings.NewReader("an ISO"))
	})
	s.guest.Self = types.ManagedObjectReference{Type: "GuestProcessManager", Value: "guestOperationsProcessManager"}
	model.Map().Put(&s.guest)
	s.http = model.Service.NewServer()
	defer s.http.Close()
	s.http.Config.Handler = s.strict(s.http.Config.Handler)

	ctx := context.Background()
	for i, entity := range model.Map().All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		if i == 0 {
			vm.Name, vm.Config.Name, vm.Summary.Config.Name = templateName, templateName, templateName
			vm.Config.GuestId = "ubuntu64Guest"
			vm.MarkAsTemplate(&types.MarkAsTemplate{This: vm.Self})
		} else if *machines == 0 {
			vm.DestroyTask(s.context(), &types.Destroy_Task{This: vm.Self})
		} else {
			vm.Config.InstanceUuid = fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
			vm.Summary.Config.InstanceUuid = vm.Config.InstanceUuid
			vm.Runtime.PowerState = types.VirtualMachinePowerStatePoweredOn
		}
	}
	if err := s.library(ctx); err != nil {
		return err
	}
	var stop atomic.Bool
	var guests sync.WaitGroup
	guests.Add(1)
	go func() {
		defer guests.Done()
		for !stop.Load() {
			s.boot()
			time.Sleep(5 * time.Millisecond)
		}
	}()
	certificate := "-"
	if !*plain {
		certificate = base64.StdEncoding.EncodeToString(s.http.Certificate().Raw)
	}
	fmt.Printf("listening\t%s\t%s\t%s\t%s\t%s\n", s.http.URL.Hostname(), s.http.URL.Port(), user, password, certificate)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		said, err := s.obey(ctx, strings.Fields(lines.Text()))
		if err != nil {
			said = "error: " + err.Error()
		}
		fmt.Println(said)
	}
	stop.Store(true)
	guests.Wait()
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
