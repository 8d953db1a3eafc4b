#include "drivers/vmwarevsphere/storage_drs.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {

absl::StatusOr<std::optional<Ref>> RecommendDatastore(const common::CallScope& call,
                                                      VimClient& client, const Place& place,
                                                      absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const Service service, client.ServiceContent(call));
  if (service.storage_resource_manager.empty()) return std::nullopt;
  const Ref& pod = place.datastore_cluster->ref;
  std::string location = RefXml("pool", place.pool.ref);
  if (place.host.has_value()) absl::StrAppend(&location, RefXml("host", place.host->ref));
  const std::string spec = absl::StrCat(
      XmlLeaf("type", "clone"), RefXml("vm", place.source->ref),
      XmlNode("podSelectionSpec",
              absl::StrCat(XmlNode("initialVmConfig", RefXml("storagePod", pod)),
                           RefXml("storagePod", pod))),
      XmlNode("cloneSpec", absl::StrCat(XmlNode("location", location), XmlLeaf("template", "false"),
                                        XmlLeaf("powerOn", "false"))),
      XmlLeaf("cloneName", name), RefXml("folder", place.folder.ref));
  const absl::StatusOr<XmlElement> answer = client.Read(
      call, service.storage_resource_manager, "RecommendDatastores", XmlNode("storageSpec", spec));
  if (!answer.ok()) {
    // A fault, as where it is turned off, leaves the choice to us; all else is no answer.
    if (FaultOf(answer.status()).empty() || IsTransient(answer.status())) return answer.status();
    return std::nullopt;
  }
  // The best one comes first.
  for (const XmlElement* const each : answer->Child("returnval").Children("recommendations")) {
    for (const XmlElement* const action : each->Children("action")) {
      const Ref datastore = RefOf(action->Child("destination"));
      if (!datastore.empty()) return datastore;
    }
  }
  return std::nullopt;
}

}  // namespace machine::driver::vmwarevsphere
