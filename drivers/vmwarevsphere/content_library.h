// Content libraries of a vCenter (REST), from which an OVF becomes a virtual machine.
#ifndef DRIVERS_VMWAREVSPHERE_CONTENT_LIBRARY_H_
#define DRIVERS_VMWAREVSPHERE_CONTENT_LIBRARY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/vmwarevsphere/inventory.h"
#include "drivers/vmwarevsphere/vim_client.h"

namespace machine::driver::vmwarevsphere {

/// What a machine can be made of.
struct LibraryItem {
  std::string id;
  /// A virtual machine that is a template of the inventory, too; else an OVF.
  bool vm_template = false;
};

/// One session with the REST services of a vCenter, for a few calls; it ends with this object.
class ContentLibrary {
 public:
  /// `client` and `call` outlive it.
  ContentLibrary(const common::CallScope& call, VimClient& client, Backoff backoff);
  ~ContentLibrary();

  ContentLibrary(const ContentLibrary&) = delete;
  ContentLibrary& operator=(const ContentLibrary&) = delete;

  /// The item "LIBRARY/ITEM". Errors: PreCreateCheckFailed() that lists what exists, or where it is
  /// something else.
  absl::StatusOr<LibraryItem> FindItem(absl::string_view name);

  /// Makes a virtual machine of that name, off, from an item. Errors: ALREADY_EXISTS; UNAVAILABLE
  /// also where it may have been made.
  absl::StatusOr<Ref> Deploy(const LibraryItem& item, absl::string_view name, const Place& place);

 private:
  absl::StatusOr<Json> Send(absl::string_view method, absl::string_view path, const Json& body,
                            bool with_effect = false);
  absl::Status LogIn();
  absl::StatusOr<Ref> DeployOvf(const std::string& id, absl::string_view name, const Place& place);
  /// https://developer.broadcom.com/xapis/vsphere-automation-api/latest/ (vm_template)
  absl::StatusOr<Ref> DeployTemplate(const std::string& id, absl::string_view name,
                                     const Place& place);
  absl::StatusOr<std::vector<std::string>> NamesOf(absl::string_view path, const Json& ids);

  const common::CallScope& call_;
  VimClient& client_;
  const Backoff backoff_;
  /// Secret.
  std::string session_;
};

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_CONTENT_LIBRARY_H_
