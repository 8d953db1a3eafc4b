// Disk images of guests, fetched once by the host that needs them and shared by its machines.
#ifndef DRIVERS_HYPERVISOR_IMAGE_STORE_H_
#define DRIVERS_HYPERVISOR_IMAGE_STORE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/tool_host.h"

namespace machine::driver::hypervisor {

struct ImageSource {
  /// http, https or file URL, or the absolute path of a file on the tools' host, which is used as
  /// it is.
  std::string url;
  /// "sha256:HEX" or "sha512:HEX"; or the URL of a list of digests as sha256sum writes it, in a
  /// file whose name begins with SHA256 or SHA512. Empty checks nothing but the transport.
  std::string checksum;
};

/// The last part of a URL's path, as a name for a file: other characters than letters, digits, dots
/// and dashes are underscores.
std::string BaseName(absl::string_view url);

/// The name of a file in a cache: another one for another source or checksum.
std::string CacheName(const ImageSource& source);

/// The digest of `name` in `list`, as sha256sum or sha512sum writes it, as "sha256:HEX" or
/// "sha512:HEX"; empty when it has none.
std::string DigestInList(absl::string_view list, absl::string_view name);

/// The cache of one host, in its folder `cache`. A file there is complete and was checked; what is
/// under way is beside it, as NAME.part, and is gone on with after an interruption. It works with
/// curl and sha256sum or shasum, on that host. Thread-safe; of several that want the same image,
/// one fetches it. Several drivers may share the folder.
class ImageStore {
 public:
  /// `host` outlives it.
  ImageStore(ToolHost& host, std::string cache) : host_(host), cache_(std::move(cache)) {}

  /// The path of the image on the host, fetching it first if need be, with progress.
  /// Errors: NOT_FOUND (no such image; no curl), FAILED_PRECONDITION (another digest than
  /// expected, with both), UNAVAILABLE PROVIDER_DOWN (the server does not answer), or as
  /// ToolHost::Run().
  absl::StatusOr<std::string> Fetch(common::CallScope& call, const ImageSource& source);

 private:
  struct Turn {
    bool taken = false;
  };

  absl::Status Download(common::CallScope& call, const std::string& url, const std::string& part);
  absl::StatusOr<std::string> ExpectedDigest(common::CallScope& call, const ImageSource& source);
  absl::Status CheckDigest(common::CallScope& call, const std::string& expected,
                           const std::string& path, const std::string& url);

  ToolHost& host_;
  const std::string cache_;
  absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Turn>> turns_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_IMAGE_STORE_H_
