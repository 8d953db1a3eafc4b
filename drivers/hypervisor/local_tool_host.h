#ifndef DRIVERS_HYPERVISOR_LOCAL_TOOL_HOST_H_
#define DRIVERS_HYPERVISOR_LOCAL_TOOL_HOST_H_

#include "drivers/hypervisor/tool_host.h"

namespace machine::driver::hypervisor {

/// Tools of the host that the driver runs on.
class LocalToolHost final : public ToolHost {
 public:
  const std::string& name() const override { return name_; }
  absl::StatusOr<ToolOutput> Run(common::CallScope& call, const std::vector<std::string>& argv,
                                 const ToolInput& input) override;
  absl::Status WriteFile(common::CallScope& call, absl::string_view path, mode_t mode,
                         absl::string_view contents) override;
  absl::StatusOr<std::string> ReadFile(common::CallScope& call, absl::string_view path,
                                       size_t max_bytes) override;

 private:
  const std::string name_ = "this host";
};

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_LOCAL_TOOL_HOST_H_
