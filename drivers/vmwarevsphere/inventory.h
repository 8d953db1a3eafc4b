// What a datacenter has, and where in it a machine goes.
#ifndef DRIVERS_VMWAREVSPHERE_INVENTORY_H_
#define DRIVERS_VMWAREVSPHERE_INVENTORY_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/vmwarevsphere/settings.h"
#include "drivers/vmwarevsphere/vim_client.h"

namespace machine::driver::vmwarevsphere {

/// An object of the inventory.
struct Node {
  Ref ref;
  std::string name;
  /// From the root: "/DC0/host/cluster/Resources".
  std::string path;
  Properties properties;
};

/// Where a machine goes.
struct Place {
  Node datacenter;
  Node folder;
  Node pool;
  /// Empty for the cluster's choice.
  std::optional<Node> host;
  Node datastore;
  /// The cluster that `datastore` was chosen from; no value where the user named none.
  std::optional<Node> datastore_cluster;
  /// One for each card; empty for what the template has.
  std::vector<Node> networks;
  /// What is cloned; no value without a template.
  std::optional<Node> source;
};

/// What a datacenter had when it was read. Immutable.
class Inventory {
 public:
  /// Reads the datacenter that `settings` name. Errors: PreCreateCheckFailed() that lists what
  /// exists.
  static absl::StatusOr<Inventory> Read(const common::CallScope& call, VimClient& client,
                                        const Settings& settings);

  /// Chooses what `settings` leave open, and checks what they name. Errors: PreCreateCheckFailed()
  /// that lists what exists.
  absl::StatusOr<Place> Choose(const common::CallScope& call, VimClient& client,
                               const Settings& settings) const;

  /// The object; null where the datacenter has none such.
  const Node* At(const Ref& ref) const;

 private:
  using Filter = std::function<bool(const Node&)>;

  std::vector<const Node*> All(const Filter& filter) const;
  absl::StatusOr<const Node*> Find(absl::string_view flag, absl::string_view what,
                                   absl::string_view value,
                                   const std::vector<const Node*>& among) const;

  absl::StatusOr<Node> ChooseFolder(const Settings& settings) const;
  absl::Status ChooseCompute(const Settings& settings, Place& place, const Node** compute) const;
  absl::Status ChooseDatastore(const Settings& settings, const Node& compute, Place& place) const;
  absl::Status ChooseNetwork(const Settings& settings, const Node& compute, Place& place) const;

  Node datacenter_;
  std::vector<Node> nodes_;
  std::map<Ref, size_t> index_;
};

/// The datacenters of a server.
absl::StatusOr<std::vector<Node>> ReadDatacenters(const common::CallScope& call, VimClient& client);

/// The datacenter that `settings` name, or the only one. Errors: PreCreateCheckFailed().
absl::StatusOr<Node> ChooseDatacenter(const common::CallScope& call, VimClient& client,
                                      const Settings& settings);

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_INVENTORY_H_
