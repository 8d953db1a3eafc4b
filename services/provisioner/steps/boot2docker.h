// How boot2docker's own start script is told about the engine.
#ifndef SERVICES_PROVISIONER_STEPS_BOOT2DOCKER_H_
#define SERVICES_PROVISIONER_STEPS_BOOT2DOCKER_H_

#include <string>

#include "absl/status/statusor.h"
#include "services/provisioner/steps/engine_settings.h"

namespace machine::provisioner {

/// Takes out of `settings` what boot2docker's start script of the engine puts on its command line
/// by itself (certificates, storage driver, data folder; dockerd refuses an option that is given in
/// both places) and returns the text of /var/lib/boot2docker/profile that makes it do so. The
/// profile is the provisioner's own: it holds nothing else, as with the original.
/// INVALID_ARGUMENT for a value that the script would split into words.
absl::StatusOr<std::string> RenderBoot2dockerProfile(EngineSettings& settings);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_BOOT2DOCKER_H_
