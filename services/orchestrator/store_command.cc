#include "services/orchestrator/store_command.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "services/common/failpoint/failpoints.h"
#include "services/common/status/status.h"
#include "services/orchestrator/config.h"
#include "services/orchestrator/secrets/key_rotation.h"
#include "services/orchestrator/secrets/secret_names.h"
#include "services/orchestrator/store/store_copy.h"
#include "services/orchestrator/store/store_reseal.h"

namespace machine::orchestrator {
namespace {

constexpr char kHelp[] = R"(Usage: machine-orchestrator store backup FILE [OPTIONS]
       machine-orchestrator store restore FILE [OPTIONS]
       machine-orchestrator store migrate [OPTIONS]
       machine-orchestrator store rotate-key [to-passphrase FILE | to-key-file] [OPTIONS]

backup    Write the store to FILE, which must not exist. The orchestrator may run.
restore   Make the store anew from a backup. There must be none, or an empty database.
migrate   Copy the SQLite store below the storage path to the empty database that --store names.
rotate-key
          Seal everything in the store anew: with a new key in server/sealing.key, or under the
          passphrase that FILE holds, to be named by --passphrase-file from then on. --passphrase-file
          here is the one until now. No orchestrator may run on the store; each other one needs a copy
          of the new key or passphrase afterwards. When this is killed, run it again: before its end
          the store has the old key, after it the new one.

The store is the one that --storage-path, or --store or --store-file, names, as for the service. The
sealing key (server/sealing.key) or passphrase is no part of it: keep a copy of that, too, in another
place.
)";

absl::Status Usage(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(what, "; see machine-orchestrator store --help"));
}

// What the store cannot be opened without, and where it is.
absl::string_view KeyWord(const Config& config) {
  return config.passphrase_file.empty() ? "key" : "passphrase";
}
std::string KeyPlace(const Config& config) {
  return config.passphrase_file.empty() ? config.key_path() : config.passphrase_file;
}

absl::StatusOr<std::string> BackUp(const Config& config, const std::string& file) {
  DM_RETURN_IF_ERROR(config.store.has_value() ? BackUpDatabase(*config.store, file)
                                              : BackUpFile(config.store_path(), file));
  return absl::StrCat("The store was written to ", file, ". Its secrets are sealed with the ",
                      KeyWord(config), " in ", KeyPlace(config), ", which is not in it.\n");
}

absl::StatusOr<std::string> Restore(const Config& config, const std::string& file) {
  DM_RETURN_IF_ERROR(config.store.has_value() ? CopyToDatabase(file, *config.store)
                                              : RestoreFile(file, config.store_path()));
  return absl::StrCat("The store was restored from ", file, ". It needs the ", KeyWord(config),
                      " it was sealed with in ", KeyPlace(config), ".\n");
}

absl::StatusOr<std::string> Migrate(const Config& config) {
  if (!config.store.has_value()) return Usage("migrate needs --store or --store-file");
  DM_RETURN_IF_ERROR(CopyToDatabase(config.store_path(), *config.store));
  return absl::StrCat("The store ", config.store_path(), " was copied to ",
                      config.store->printable(),
                      ". Start orchestrators with --store from now on, each "
                      "with a copy of ",
                      KeyPlace(config), ".\n");
}

// `to`: the words after "rotate-key".
absl::StatusOr<std::string> RotateKey(const Config& config, absl::Span<const std::string> to) {
  const KeySource from = {.key_path = config.key_path(), .passphrase_path = config.passphrase_file};
  KeySource target = {.key_path = config.key_path(), .passphrase_path = ""};
  if (to.size() == 2 && to[0] == "to-passphrase") {
    target.passphrase_path = to[1];
  } else if (!(to.size() == 1 && to[0] == "to-key-file") &&
             !(to.empty() && from.passphrase_path.empty())) {
    return Usage("store rotate-key needs to-passphrase FILE, or to-key-file");
  }
  const auto reseal_store = [&](Reseal reseal) {
    return config.store.has_value() ? ResealDatabase(*config.store, kVaultOwner, reseal)
                                    : ResealFile(config.store_path(), kVaultOwner, reseal);
  };
  const common::Failpoints failpoints = common::Failpoints::FromEnvironment();
  DM_ASSIGN_OR_RETURN(const KeyRotation rotation,
                      RotateSealingKey(from, target, reseal_store, failpoints));
  std::string text =
      absl::StrCat("Sealed ", rotation.values, " values with the new key ", rotation.new_id);
  if (target.passphrase_path.empty()) {
    absl::StrAppend(&text, " in ", target.key_path, ".");
    if (!from.passphrase_path.empty()) {
      absl::StrAppend(&text, " Start orchestrators without --passphrase-file from now on.");
    }
  } else {
    absl::StrAppend(&text, ", from the passphrase in ", target.passphrase_path,
                    ": start orchestrators with that as --passphrase-file from now on.");
  }
  absl::StrAppend(&text, " Backups made until now need the old ",
                  rotation.old_path.empty() ? "passphrase.\n"
                                            : absl::StrCat("one, which is ", rotation.old_path,
                                                           ": delete it when there are none.\n"));
  return text;
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
  if (verb == "rotate-key") return RotateKey(config, absl::MakeConstSpan(plain).subspan(1));
  if (verb != "backup" && verb != "restore") {
    return Usage(absl::StrCat("store: \"", verb, "\" is not understood"));
  }
  if (plain.size() != 2)
    return Usage(absl::StrCat("store ", verb, " needs one file, before options"));
  return verb == "backup" ? BackUp(config, plain[1]) : Restore(config, plain[1]);
}

}  // namespace machine::orchestrator
