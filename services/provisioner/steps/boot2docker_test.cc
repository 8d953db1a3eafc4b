#include "services/provisioner/steps/boot2docker.h"

#include <gtest/gtest.h>

#include "provisioner/v1/provisioner.pb.h"
#include "services/common/status/status.h"
#include "services/provisioner/steps/daemon_json.h"

namespace machine::provisioner {
namespace {

EngineSettings Settings(const ::provisioner::v1::ProvisionRequest& request) {
  const absl::StatusOr<EngineSettings> settings = ReadEngineSettings(request);
  EXPECT_TRUE(settings.ok()) << settings.status();
  return settings.value_or(EngineSettings());
}

TEST(Boot2dockerProfileTest, HasWhatTheStartScriptReads) {
  ::provisioner::v1::ProvisionRequest request;
  request.set_driver("virtualbox");
  auto& engine = *request.mutable_engine();
  engine.set_storage_driver("overlay2");
  engine.add_arbitrary_flags("data-root=/mnt/docker");
  engine.add_arbitrary_flags("pidfile=/run/d.pid");
  engine.add_labels("note=it's \"so\" $HOME");
  engine.add_env("NOTE=it's $HOME");
  EngineSettings settings = Settings(request);
  const absl::StatusOr<std::string> profile = RenderBoot2dockerProfile(settings);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(
      *profile,
      "# Written by docker-machine, and again at each provision. Settings of yours belong in\n"
      "# /var/lib/boot2docker/daemon.json or bootlocal.sh.\n"
      "CACERT='/var/lib/boot2docker/ca.pem'\n"
      "SERVERCERT='/var/lib/boot2docker/server.pem'\n"
      "SERVERKEY='/var/lib/boot2docker/server-key.pem'\n"
      "DOCKER_TLS='auto'\n"
      "DOCKER_HOST='-H tcp://0.0.0.0:2376'\n"
      "DOCKER_STORAGE='overlay2'\n"
      "DOCKER_DIR='/mnt/docker'\n"
      "EXTRA_ARGS='--config-file=/var/lib/boot2docker/daemon.json --pidfile=/run/d.pid'\n"
      "export NOTE='it'\\''s $HOME'\n");
  // What is on the command line is not in the file, and labels are, whatever they hold.
  const absl::StatusOr<MergedDaemonJson> json = MergeDaemonJson(std::nullopt, settings);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->text,
            "{\n  \"labels\": [\n    \"note=it's \\\"so\\\" $HOME\",\n"
            "    \"provider=virtualbox\"\n  ]\n}\n");
}

TEST(Boot2dockerProfileTest, AnOptionThatWouldBeSplitIsRefused) {
  ::provisioner::v1::ProvisionRequest request;
  request.mutable_engine()->add_arbitrary_flags("pidfile=/run/a b.pid");
  EngineSettings settings = Settings(request);
  const absl::Status status = RenderBoot2dockerProfile(settings).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(common::ErrorMetadataOf(status, "field"), "engine.arbitrary_flags");
}

}  // namespace
}  // namespace machine::provisioner
