#include "cli/commands/ssh_keys.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"

namespace machine::cli {
namespace {

constexpr absl::string_view kOpenSshBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr absl::string_view kOpenSshEnd = "-----END OPENSSH PRIVATE KEY-----";
// OpenSSH's PROTOCOL.key: the magic, then the cipher's name as a string with a length of four
// bytes.
constexpr absl::string_view kMagic("openssh-key-v1\0", 15);
constexpr absl::string_view kNoCipher("\0\0\0\4none", 8);

}  // namespace

bool IsEncryptedKey(absl::string_view key) {
  const size_t begin = key.find(kOpenSshBegin);
  if (begin == absl::string_view::npos) {
    return absl::StrContains(key, "BEGIN ENCRYPTED PRIVATE KEY") ||
           absl::StrContains(key, "Proc-Type: 4,ENCRYPTED");
  }
  key.remove_prefix(begin + kOpenSshBegin.size());
  const std::string base64 = absl::StrReplaceAll(key.substr(0, key.find(kOpenSshEnd)),
                                                 {{"\n", ""}, {"\r", ""}, {" ", ""}});
  std::string bytes;
  if (!absl::Base64Unescape(base64, &bytes)) return false;
  absl::string_view rest = bytes;
  return absl::ConsumePrefix(&rest, kMagic) && !absl::StartsWith(rest, kNoCipher);
}

std::optional<DefaultKey> FindDefaultKey(const Environment& env) {
  const std::string home = env.Get("HOME");
  if (home.empty()) return std::nullopt;
  for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa"}) {
    std::string path = absl::StrCat(home, "/.ssh/", name);
    auto contents = common::ReadFile(path, /*max_bytes=*/1 << 20);
    if (!contents.ok() || IsEncryptedKey(*contents)) continue;
    return DefaultKey{std::move(path), *std::move(contents)};
  }
  return std::nullopt;
}

}  // namespace machine::cli
