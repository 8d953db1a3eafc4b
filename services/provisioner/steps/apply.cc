#include "services/provisioner/steps/apply.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/crypto/digest.h"
#include "services/common/ssh/ssh.h"
#include "services/provisioner/host/shell_text.h"
#include "services/provisioner/steps/host_script.h"
#include "services/provisioner/steps/install.h"

namespace machine::provisioner {
namespace {

constexpr char kApplyScript[] =
#include "services/provisioner/steps/apply.sh.inc"
    ;

constexpr char kBoot2dockerScript[] =
#include "services/provisioner/steps/boot2docker.sh.inc"
    ;

// In lines, as some implementations of base64 want it.
std::string Base64Lines(absl::string_view text) {
  constexpr size_t kLine = 76;
  const std::string encoded = absl::Base64Escape(text);
  std::string lines;
  for (size_t i = 0; i < encoded.size(); i += kLine) {
    absl::StrAppend(&lines, encoded.substr(i, kLine), "\n");
  }
  return lines;
}

void AppendPut(const WantedFile& file, std::string& script, absl::string_view function = "put") {
  absl::StrAppend(&script, function, " ", common::ShellQuote(file.path),
                  absl::StrFormat(" %o", file.mode), " <<'MACHINE_FILE_END'\n",
                  Base64Lines(file.contents), "MACHINE_FILE_END\n");
}

void AppendRelease(const KeptContainers& keep, std::string& script) {
  if (keep.released.empty()) return;
  absl::StrAppend(&script, "if [ -n \"$kept_containers\" ]; then\n");
  AppendPut({keep.path, keep.mode, keep.released}, script);
  absl::StrAppend(&script, "reload_engine\nlive_restore_is false || true\n");
  if (keep.after.has_value()) {
    AppendPut({keep.path, keep.mode, *keep.after}, script);
  } else {
    absl::StrAppend(&script, "rm -f ", common::ShellQuote(keep.path), "\n");
  }
  absl::StrAppend(&script, "fi\n");
}

}  // namespace

bool SameFile(const Facts& facts, const WantedFile& wanted) {
  const auto found = facts.files.find(wanted.path);
  return found != facts.files.end() && found->second.sha256 == common::Sha256Hex(wanted.contents) &&
         found->second.mode == wanted.mode && found->second.uid == 0;
}

absl::Status ApplyChanges(common::CallScope& call, RemoteHost& host, const Facts& facts, Init init,
                          const Changes& changes) {
  std::string script = kApplyScript;
  if (init == Init::kBoot2docker) script += kBoot2dockerScript;
  absl::StrAppend(&script, "begin\n");
  const std::optional<KeptContainers>& keep = changes.keep;
  if (keep.has_value()) {
    absl::StrAppend(&script, ShellVariable("keep_warning", keep->warning));
    AppendPut({keep->path, keep->mode, keep->before}, script, "keep_containers");
  }
  if (!changes.certificates.empty()) {
    absl::StrAppend(&script, "say 'Copying certs to the remote machine...'\n");
    for (const WantedFile& file : changes.certificates) AppendPut(file, script);
  }
  if (!changes.configuration.empty()) {
    absl::StrAppend(&script, "say 'Setting Docker configuration on the remote daemon...'\n");
    for (const WantedFile& file : changes.configuration) AppendPut(file, script);
  }
  if (!changes.host_name.empty()) {
    absl::StrAppend(&script, "set_hostname ", common::ShellQuote(changes.host_name), "\n");
  }
  if (changes.enable) absl::StrAppend(&script, "enable_engine\n");
  if (changes.restart) {
    if (!changes.configuration.empty()) {
      absl::StrAppend(&script, "validate ", common::ShellQuote(facts.dockerd_path));
      for (const std::string& flag : changes.flags) {
        absl::StrAppend(&script, " ", common::ShellQuote(flag));
      }
      absl::StrAppend(&script, "\n");
    }
    absl::StrAppend(&script, "reload_units ", common::ShellQuote(changes.expected_argument), "\n");
    if (keep.has_value()) {
      absl::StrAppend(&script, "if [ -n \"$kept_containers\" ]; then\n");
      AppendPut({keep->path, keep->mode, keep->during}, script);
      absl::StrAppend(&script, "fi\n");
    }
    absl::StrAppend(&script, "restart_engine\n");
    if (keep.has_value()) AppendRelease(*keep, script);
  }
  absl::StrAppend(&script, "finish\n");
  return RunHostScript(call, host, AsRoot(facts), "configure", script).status();
}

}  // namespace machine::provisioner
