#include "services/orchestrator/store_command.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/failpoint/failpoints.h"
#include "services/common/status/status.h"
#include "services/orchestrator/config.h"
#include "services/orchestrator/secrets/key_rotation.h"
#include "services/orchestrator/store/store_copy.h"
#include "services/orchestrator/store/store_reseal.h"

namespace machine::orchestrator {
namespace {

constexpr char kHelp[] = R"(Usage: machine-orchestrator store backup FILE [OPTIONS]
       machine-orchestrator store restore FILE [OPTIONS]
       machine-orchestrator store migrate [OPTIONS]
       machine-orchestrator store rotate-key [OPTIONS]

backup    Write the store to FILE, which must not exist. The orchestrator may run.
restore   Make the store anew from a backup. There must be none, or an empty database.
migrate   Copy the SQLite store below the storage path to the empty database that --store names.
rotate-key
          Seal everything in the store with a new key, which replaces server/sealing.key. No
          orchestrator may run on the store; each other one needs a copy of the new key afterwards.
          When this is killed, the next start of either ends what it had begun.

The store is the one that --storage-path, or --store or --store-file, names, as for the service. The
sealing key (server/sealing.key) is no part of it: keep a copy of that file, too, in another place.
)";

absl::Status Usage(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(what, "; see machine-orchestrator store --help"));
}

absl::StatusOr<std::string> BackUp(const Config& config, const std::string& file) {
  DM_RETURN_IF_ERROR(config.store.has_value() ? BackUpDatabase(*config.store, file)
                                              : BackUpFile(config.store_path(), file));
  return absl::StrCat("The store was written to ", file,
                      ". Its secrets are sealed with the key in ", config.key_path(),
                      ", which is not in it.\n");
}

absl::StatusOr<std::string> Restore(const Config& config, const std::string& file) {
  DM_RETURN_IF_ERROR(config.store.has_value() ? CopyToDatabase(file, *config.store)
                                              : RestoreFile(file, config.store_path()));
  return absl::StrCat("The store was restored from ", file,
                      ". It needs the key it was sealed with in ", config.key_path(), ".\n");
}

absl::StatusOr<std::string> Migrate(const Config& config) {
  if (!config.store.has_value()) return Usage("migrate needs --store or --store-file");
  DM_RETURN_IF_ERROR(CopyToDatabase(config.store_path(), *config.store));
  return absl::StrCat("The store ", config.store_path(), " was copied to ",
                      config.store->printable(),
                      ". Start orchestrators with --store from now on, each "
                      "with a copy of ",
                      config.key_path(), ".\n");
}

absl::StatusOr<std::string> RotateKey(const Config& config) {
  const auto reseal_store = [&](Reseal reseal) {
    return config.store.has_value() ? ResealDatabase(*config.store, reseal)
                                    : ResealFile(config.store_path(), reseal);
  };
  const common::Failpoints failpoints = common::Failpoints::FromEnvironment();
  DM_ASSIGN_OR_RETURN(const KeyRotation rotation,
                      RotateSealingKey(config.key_path(), reseal_store, failpoints));
  return absl::StrCat("Sealed ", rotation.values, " values with the new key ", rotation.new_id,
                      " in ", config.key_path(),
                      ". Backups made until now need the old one, which "
                      "is ",
                      rotation.old_path, ": delete it when there are none.\n");
}

}  // namespace

absl::StatusOr<std::string> RunStoreCommand(const std::vector<std::string>& words) {
  std::vector<std::string> plain;
  std::vector<const char*> options = {"machine-orchestrator"};
  for (const std::string& word : words) {
    // An option's value may follow it: what is no option is plain only before the first.
    if (options.size() == 1 && !absl::StartsWith(word, "-")) {
      plain.push_back(word);
    } else {
      options.push_back(word.c_str());
    }
  }
  ConfigReader reader(static_cast<int>(options.size()), options.data());
  if (!reader.Text().empty()) return std::string(kHelp);
  DM_ASSIGN_OR_RETURN(const Config config, reader.Read());
  if (plain.empty()) return Usage("store needs backup, restore, migrate or rotate-key");
  const std::string& verb = plain[0];
  if (verb == "migrate" && plain.size() == 1) return Migrate(config);
  if (verb == "rotate-key" && plain.size() == 1) return RotateKey(config);
  if (verb != "backup" && verb != "restore") {
    return Usage(absl::StrCat("store: \"", verb, "\" is not understood"));
  }
  if (plain.size() != 2)
    return Usage(absl::StrCat("store ", verb, " needs one file, before options"));
  return verb == "backup" ? BackUp(config, plain[1]) : Restore(config, plain[1]);
}

}  // namespace machine::orchestrator
