// What the provider has on offer: defaults are found there, and what is asked for is checked.
#ifndef DRIVERS_TEMPLATE_CATALOG_H_
#define DRIVERS_TEMPLATE_CATALOG_H_

#include <string>

#include "absl/status/statusor.h"
#include "drivers/template/settings.h"
#include "drivers/template/template_api.h"

namespace machine::driver::template_cloud {

/// What an instance is made of.
struct Choice {
  std::string image;
  std::string size;
};

/// The image and size that `settings` ask for, or the defaults where they ask for none; checks all
/// that the provider knows. Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> Choose(const common::CallScope& call, const TemplateApi& api,
                              const Settings& settings);

}  // namespace machine::driver::template_cloud

#endif  // DRIVERS_TEMPLATE_CATALOG_H_
