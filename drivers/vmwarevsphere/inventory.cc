#include "drivers/vmwarevsphere/inventory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

// Deeper ones are a loop.
constexpr int kMaxDepth = 64;

// The inventory writes what its paths need otherwise.
std::string PlainName(absl::string_view name) {
  return absl::StrReplaceAll(name, {{"%2f", "/"}, {"%2F", "/"}, {"%5c", "\\"}, {"%25", "%"}});
}

int64_t NumberOf(const Node& node, const std::string& path) {
  int64_t number = 0;
  return absl::SimpleAtoi(node.properties.Text(path), &number) ? number : 0;
}

std::vector<Ref> RefsOf(const Node& node, const std::string& path) {
  std::vector<Ref> refs;
  for (const XmlElement& each : node.properties.Get(path).children()) refs.push_back(RefOf(each));
  return refs;
}

bool Has(const std::vector<Ref>& refs, const Ref& ref) {
  return std::find(refs.begin(), refs.end(), ref) != refs.end();
}

bool IsCompute(const Node& node) { return absl::EndsWith(node.ref.type, "ComputeResource"); }
bool IsPool(const Node& node) {
  return node.ref.type == "ResourcePool" || node.ref.type == "VirtualApp";
}
bool IsNetwork(const Node& node) {
  return node.ref.type == "Network" || node.ref.type == "DistributedVirtualPortgroup" ||
         node.ref.type == "OpaqueNetwork";
}
bool IsType(const Node& node, absl::string_view type) { return node.ref.type == type; }

// A name, a path from the root, or the end of one.
bool Names(absl::string_view value, const Node& node) {
  if (value == node.path || value == node.name) return true;
  return !absl::StartsWith(value, "/") && absl::EndsWith(node.path, absl::StrCat("/", value));
}

bool Usable(const Node& datastore) {
  const std::string& maintenance = datastore.properties.Text("summary.maintenanceMode");
  return datastore.properties.Text("summary.accessible") != "false" &&
         (maintenance.empty() || maintenance == "normal");
}

const Node* Emptiest(const std::vector<const Node*>& datastores) {
  const auto most =
      std::max_element(datastores.begin(), datastores.end(), [](const Node* a, const Node* b) {
        const int64_t of_a = NumberOf(*a, "summary.freeSpace");
        const int64_t of_b = NumberOf(*b, "summary.freeSpace");
        return of_a != of_b ? of_a < of_b : a->path > b->path;
      });
  return most == datastores.end() ? nullptr : *most;
}

std::vector<std::string> PathsOf(const std::vector<const Node*>& nodes) {
  std::vector<std::string> paths;
  for (const Node* const node : nodes) paths.push_back(node->path);
  return paths;
}

absl::StatusOr<const Node*> FindIn(absl::string_view flag, absl::string_view what,
                                   absl::string_view value, const std::vector<const Node*>& among) {
  std::vector<const Node*> found;
  for (const Node* const node : among) {
    if (node->path == value) return node;
    if (Names(value, *node)) found.push_back(node);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) return NoSuchChoice(flag, what, value, PathsOf(among));
  return PreCreateCheckFailed(absl::StrCat("--", flag, ": there are several of the name \"", value,
                                           "\"; give the path, such as ", found.front()->path));
}

// Fills in the paths from names and parents.
void NamePaths(std::vector<Node>& nodes, const std::map<Ref, size_t>& index,
               const std::string& root, const Ref& root_ref) {
  for (Node& node : nodes) {
    node.path = absl::StrCat("/", node.name);
    Ref parent = RefOf(node.properties.Get("parent"));
    for (int depth = 0; depth < kMaxDepth && !(parent == root_ref); ++depth) {
      const auto it = index.find(parent);
      if (it == index.end()) break;
      node.path = absl::StrCat("/", nodes[it->second].name, node.path);
      parent = RefOf(nodes[it->second].properties.Get("parent"));
    }
    node.path = absl::StrCat(root, node.path);
  }
}

std::vector<Node> NodesOf(std::vector<Properties> found) {
  std::vector<Node> nodes;
  for (Properties& properties : found) {
    Node& node = nodes.emplace_back();
    node.ref = properties.ref;
    node.name = PlainName(properties.Text("name"));
    node.properties = std::move(properties);
  }
  return nodes;
}

std::map<Ref, size_t> IndexOf(const std::vector<Node>& nodes) {
  std::map<Ref, size_t> index;
  for (size_t i = 0; i < nodes.size(); ++i) index.emplace(nodes[i].ref, i);
  return index;
}

}  // namespace

absl::StatusOr<std::vector<Node>> ReadDatacenters(const common::CallScope& call,
                                                  VimClient& client) {
  DM_ASSIGN_OR_RETURN(const Service service, client.ServiceContent(call));
  DM_ASSIGN_OR_RETURN(std::vector<Properties> found,
                      client.RetrieveBelow(call, service.root_folder,
                                           {{"Datacenter", {"name", "parent", "vmFolder"}},
                                            {"Folder", {"name", "parent"}}}));
  std::vector<Node> nodes = NodesOf(std::move(found));
  NamePaths(nodes, IndexOf(nodes), "", service.root_folder);
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                             [](const Node& node) { return !IsType(node, "Datacenter"); }),
              nodes.end());
  return nodes;
}

absl::StatusOr<Node> ChooseDatacenter(const common::CallScope& call, VimClient& client,
                                      const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<Node> datacenters, ReadDatacenters(call, client));
  std::vector<const Node*> all;
  for (const Node& each : datacenters) all.push_back(&each);
  if (!settings.datacenter.empty()) {
    DM_ASSIGN_OR_RETURN(const Node* found,
                        FindIn(kDatacenterFlag, "datacenter", settings.datacenter, all));
    return *found;
  }
  if (all.size() == 1) return *all.front();
  if (all.empty()) {
    return PreCreateCheckFailed(absl::StrCat("the user sees no datacenter at ",
                                             client.credentials().host,
                                             "; see the privileges in the driver's README"));
  }
  return NoSuchChoice(kDatacenterFlag, "datacenter", "", PathsOf(all));
}

absl::StatusOr<Inventory> Inventory::Read(const common::CallScope& call, VimClient& client,
                                          const Settings& settings) {
  Inventory inventory;
  DM_ASSIGN_OR_RETURN(inventory.datacenter_, ChooseDatacenter(call, client, settings));
  DM_ASSIGN_OR_RETURN(
      std::vector<Properties> found,
      client.RetrieveBelow(call, inventory.datacenter_.ref,
                           {{"Folder", {"name", "parent"}},
                            {"ComputeResource",
                             {"name", "parent", "resourcePool", "network", "datastore",
                              "summary.totalMemory", "summary.effectiveMemory"}},
                            {"ResourcePool", {"name", "parent", "owner"}},
                            {"HostSystem", {"name", "parent"}},
                            {"Datastore",
                             {"name", "parent", "summary.accessible", "summary.freeSpace",
                              "summary.maintenanceMode"}},
                            {"Network", {"name", "parent"}}}));
  inventory.nodes_ = NodesOf(std::move(found));
  inventory.index_ = IndexOf(inventory.nodes_);
  NamePaths(inventory.nodes_, inventory.index_, inventory.datacenter_.path,
            inventory.datacenter_.ref);
  std::sort(inventory.nodes_.begin(), inventory.nodes_.end(),
            [](const Node& a, const Node& b) { return a.path < b.path; });
  inventory.index_ = IndexOf(inventory.nodes_);
  return inventory;
}

std::vector<const Node*> Inventory::All(const Filter& filter) const {
  std::vector<const Node*> all;
  for (const Node& node : nodes_) {
    if (filter(node)) all.push_back(&node);
  }
  return all;
}

const Node* Inventory::At(const Ref& ref) const {
  const auto it = index_.find(ref);
  return it == index_.end() ? nullptr : &nodes_[it->second];
}

absl::StatusOr<const Node*> Inventory::Find(absl::string_view flag, absl::string_view what,
                                            absl::string_view value,
                                            const std::vector<const Node*>& among) const {
  return FindIn(flag, what, value, among);
}

absl::StatusOr<Node> Inventory::ChooseFolder(const Settings& settings) const {
  const Ref top = RefOf(datacenter_.properties.Get("vmFolder"));
  const Node* const root = At(top);
  if (root == nullptr) return PreCreateCheckFailed("the user sees no folder of virtual machines");
  if (settings.folder.empty()) return *root;
  DM_ASSIGN_OR_RETURN(
      const Node* folder,
      Find(kFolderFlag, "folder", settings.folder, All([&](const Node& node) {
             return IsType(node, "Folder") &&
                    (node.path == root->path || absl::StartsWith(node.path, root->path + "/"));
           })));
  return *folder;
}

absl::Status Inventory::ChooseCompute(const Settings& settings, Place& place,
                                      const Node** compute) const {
  *compute = nullptr;
  if (!settings.host.empty()) {
    DM_ASSIGN_OR_RETURN(const Node* host,
                        Find(kHostFlag, "host", settings.host,
                             All([](const Node& node) { return IsType(node, "HostSystem"); })));
    place.host = *host;
    *compute = At(RefOf(host->properties.Get("parent")));
  }
  if (!settings.pool.empty()) {
    const std::vector<const Node*> all =
        All([](const Node& node) { return IsPool(node) || IsCompute(node); });
    // A cluster and its pool may have one name: what is asked for is the cluster's pool then.
    DM_ASSIGN_OR_RETURN(const Node* pool, Find(kPoolFlag, "resource pool", settings.pool, all));
    if (IsCompute(*pool)) pool = At(RefOf(pool->properties.Get("resourcePool")));
    if (pool == nullptr) return PreCreateCheckFailed("the user sees no resource pool");
    const Node* const owner = At(RefOf(pool->properties.Get("owner")));
    if (*compute != nullptr && owner != *compute) {
      return PreCreateCheckFailed(
          absl::StrCat("--", kPoolFlag, ": ", pool->path, " is not of host ", place.host->path));
    }
    *compute = owner;
    place.pool = *pool;
  }
  if (*compute == nullptr) {
    const std::vector<const Node*> all = All(IsCompute);
    const auto largest = std::max_element(all.begin(), all.end(), [](const Node* a, const Node* b) {
      const int64_t of_a = std::max(NumberOf(*a, "summary.effectiveMemory") << 20,
                                    NumberOf(*a, "summary.totalMemory"));
      const int64_t of_b = std::max(NumberOf(*b, "summary.effectiveMemory") << 20,
                                    NumberOf(*b, "summary.totalMemory"));
      return of_a != of_b ? of_a < of_b : a->path > b->path;
    });
    if (largest == all.end()) {
      return PreCreateCheckFailed("the user sees no cluster and no host in this datacenter");
    }
    *compute = *largest;
  }
  if (place.pool.ref.empty()) {
    const Node* const root = At(RefOf((*compute)->properties.Get("resourcePool")));
    if (root == nullptr) return PreCreateCheckFailed("the user sees no resource pool");
    place.pool = *root;
  }
  return absl::OkStatus();
}

absl::Status Inventory::ChooseDatastore(const Settings& settings, const Node& compute,
                                        Place& place) const {
  const std::vector<Ref> mounted = RefsOf(compute, "datastore");
  const auto there = [&](const Node& node) {
    return IsType(node, "Datastore") && Has(mounted, node.ref);
  };
  if (!settings.datastore.empty()) {
    DM_ASSIGN_OR_RETURN(const Node* datastore,
                        Find(kDatastoreFlag, absl::StrCat("datastore at ", compute.path),
                             settings.datastore, All(there)));
    place.datastore = *datastore;
    if (Usable(*datastore)) return absl::OkStatus();
    return PreCreateCheckFailed(absl::StrCat("--", kDatastoreFlag, ": ", datastore->path,
                                             " is not accessible, or is being maintained"));
  }
  std::string below;
  if (!settings.datastore_cluster.empty()) {
    DM_ASSIGN_OR_RETURN(const Node* pod,
                        Find(kPodFlag, "datastore cluster", settings.datastore_cluster,
                             All([](const Node& node) { return IsType(node, "StoragePod"); })));
    below = pod->path + "/";
    place.datastore_cluster = *pod;
  }
  const Node* const most = Emptiest(All([&](const Node& node) {
    return there(node) && Usable(node) && absl::StartsWith(node.path, below);
  }));
  if (most != nullptr) {
    place.datastore = *most;
    return absl::OkStatus();
  }
  return PreCreateCheckFailed(
      absl::StrCat("there is no datastore to use at ", compute.path, " in ",
                   below.empty() ? datacenter_.path : settings.datastore_cluster));
}

absl::Status Inventory::ChooseNetwork(const Settings& settings, const Node& compute,
                                      Place& place) const {
  const std::vector<Ref> reached = RefsOf(compute, "network");
  const std::vector<const Node*> all =
      All([&](const Node& node) { return IsNetwork(node) && Has(reached, node.ref); });
  for (const std::string& name : settings.networks) {
    DM_ASSIGN_OR_RETURN(const Node* network,
                        Find(kNetworkFlag, absl::StrCat("network at ", compute.path), name, all));
    place.networks.push_back(*network);
  }
  if (!place.networks.empty()) return absl::OkStatus();
  if (settings.iso_url.empty() && settings.library_item.empty()) return absl::OkStatus();
  if (all.size() == 1) {
    place.networks.push_back(*all.front());
    return absl::OkStatus();
  }
  // What every ESXi host has from the start.
  for (const Node* const network : all) {
    if (network->name != "VM Network") continue;
    place.networks.push_back(*network);
    return absl::OkStatus();
  }
  return NoSuchChoice(kNetworkFlag, "network", "", PathsOf(all));
}

absl::StatusOr<Place> Inventory::Choose(const common::CallScope& call, VimClient& client,
                                        const Settings& settings) const {
  Place place;
  place.datacenter = datacenter_;
  DM_ASSIGN_OR_RETURN(place.folder, ChooseFolder(settings));
  const Node* compute = nullptr;
  DM_RETURN_IF_ERROR(ChooseCompute(settings, place, &compute));
  DM_RETURN_IF_ERROR(ChooseDatastore(settings, *compute, place));
  DM_RETURN_IF_ERROR(ChooseNetwork(settings, *compute, place));
  if (!settings.iso_url.empty() || !settings.library_item.empty()) return place;

  DM_ASSIGN_OR_RETURN(
      std::vector<Properties> found,
      client.RetrieveBelow(call, datacenter_.ref,
                           {{"VirtualMachine", {"name", "parent", "config.template"}}}));
  std::vector<Node> machines = NodesOf(std::move(found));
  for (Node& machine : machines) {
    const Node* const folder = At(RefOf(machine.properties.Get("parent")));
    machine.path = absl::StrCat(folder == nullptr ? "" : folder->path, "/", machine.name);
  }
  std::vector<const Node*> templates;
  std::vector<const Node*> all;
  for (const Node& machine : machines) {
    all.push_back(&machine);
    if (machine.properties.Text("config.template") == "true") templates.push_back(&machine);
  }
  if (!settings.clone_from.empty()) {
    const absl::StatusOr<const Node*> among_templates =
        FindIn(kCloneFromFlag, "template", settings.clone_from, templates);
    const absl::StatusOr<const Node*> source =
        among_templates.ok()
            ? among_templates
            : FindIn(kCloneFromFlag, "template or virtual machine", settings.clone_from, all);
    // Of thousands of machines, only the templates are worth listing.
    if (!source.ok()) return among_templates.status();
    place.source = **source;
    return place;
  }
  if (templates.size() == 1) {
    place.source = *templates.front();
    return place;
  }
  return PreCreateCheckFailed(absl::StrCat(
      templates.empty() ? absl::StrCat("there is no template in ", datacenter_.path)
                        : absl::StrCat("there are several templates in ", datacenter_.path),
      "; say what to make the machine from: --", kCloneFromFlag, " with a template or machine, --",
      kLibraryFlag, " with an OVF, or --", kIsoFlag, " with the URL of a boot2docker ISO",
      templates.empty() ? ""
                        : absl::StrCat(". Templates: ", absl::StrJoin(PathsOf(templates), ", "))));
}

}  // namespace machine::driver::vmwarevsphere
