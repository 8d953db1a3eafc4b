// The one way to make an outside object: look it up by the machine's uid first.
#ifndef DRIVERS_SDK_ADOPT_H_
#define DRIVERS_SDK_ADOPT_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/sdk/driver_call.h"
#include "services/common/status/status.h"

namespace machine::driver {

/// Returns what `find` finds, if `matches` agrees, else what `create` makes.
///
///   DM_ASSIGN_OR_RETURN(const Droplet droplet, AdoptOrCreate<Droplet>(
///       call,
///       [&] { return api_.FindByTag(call, tag); },           // StatusOr<optional<Droplet>>
///       [&] { return api_.Create(call, spec); },             // StatusOr<Droplet>
///       [&](const Droplet& found) { return SameSpec(found, spec); }));   // Status
///
/// `matches` returns InstanceDiffers() where what was found is not what is asked for. When `create`
/// says ALREADY_EXISTS, because an earlier attempt was slower than this one's lookup, it is looked
/// up once more.
template <typename Instance, typename Find, typename Create, typename Matches>
absl::StatusOr<Instance> AdoptOrCreate(DriverCall& call, Find find, Create create,
                                       Matches matches) {
  DM_RETURN_IF_ERROR(call.Check());
  DM_ASSIGN_OR_RETURN(std::optional<Instance> found, find());
  if (!found.has_value()) {
    DM_RETURN_IF_ERROR(call.Check());
    absl::StatusOr<Instance> created = create();
    if (created.ok() || !absl::IsAlreadyExists(created.status())) return created;
    DM_ASSIGN_OR_RETURN(found, find());
    if (!found.has_value()) return created;
  }
  DM_RETURN_IF_ERROR(matches(std::as_const(*found)));
  return *std::move(found);
}

}  // namespace machine::driver

#endif  // DRIVERS_SDK_ADOPT_H_
