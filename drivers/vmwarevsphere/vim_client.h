// vSphere's API (SOAP, vim25): one session with a vCenter or an ESXi host.
#ifndef DRIVERS_VMWAREVSPHERE_VIM_CLIENT_H_
#define DRIVERS_VMWAREVSPHERE_VIM_CLIENT_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/xml.h"
#include "drivers/vmwarevsphere/settings.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::vmwarevsphere {

/// A managed object, as "VirtualMachine" and "vm-42".
struct Ref {
  std::string type;
  std::string id;

  bool empty() const { return id.empty(); }
  friend bool operator==(const Ref& a, const Ref& b) { return a.type == b.type && a.id == b.id; }
  friend bool operator<(const Ref& a, const Ref& b) {
    return a.type != b.type ? a.type < b.type : a.id < b.id;
  }
};

/// The object that an element refers to.
Ref RefOf(const XmlElement& element);
/// An element that refers to `ref`.
std::string RefXml(absl::string_view name, const Ref& ref);

/// Properties of one object; what it has not reads as empty.
struct Properties {
  Ref ref;
  std::vector<std::pair<std::string, XmlElement>> values;

  const XmlElement& Get(absl::string_view path) const;
  const std::string& Text(absl::string_view path) const { return Get(path).text(); }
};

/// What the server is.
struct Service {
  Ref root_folder;
  Ref property_collector;
  Ref session_manager;
  Ref view_manager;
  Ref search_index;
  Ref file_manager;
  Ref guest_operations;
  /// Empty where there is no vCenter.
  Ref storage_resource_manager;
  /// "VMware vCenter Server 8.0.3".
  std::string full_name;
  bool is_vcenter = false;
};

/// A session that is opened when it is first needed, kept by its use, and opened anew when the
/// server has ended it. Thread-safe; blocks; every call ends with the call's deadline and
/// cancellation.
class VimClient {
 public:
  /// `http` outlives it.
  VimClient(common::HttpClient& http, Credentials credentials, Backoff backoff);
  /// Closes the session, unless the server is slow.
  ~VimClient();

  VimClient(const VimClient&) = delete;
  VimClient& operator=(const VimClient&) = delete;

  absl::StatusOr<Service> ServiceContent(const common::CallScope& call);

  /// A method without effect; repeated where the server did not answer.
  ///
  /// @return the element "…Response"; ErrorOfFault(), or UNAVAILABLE PROVIDER_DOWN.
  absl::StatusOr<XmlElement> Read(const common::CallScope& call, const Ref& object,
                                  absl::string_view method, absl::string_view arguments);
  /// A method with effect, sent once: after UNAVAILABLE it may have been carried out
  /// (MayHaveHappened).
  absl::StatusOr<XmlElement> Call(const common::CallScope& call, const Ref& object,
                                  absl::string_view method, absl::string_view arguments);
  /// Such a method that gives a task: waits for its end, and returns the task's result.
  absl::StatusOr<XmlElement> RunTask(const common::CallScope& call, const Ref& object,
                                     absl::string_view method, absl::string_view arguments);

  /// Properties of `objects`, all of type `type`, in one call. Objects that are gone are left out.
  absl::StatusOr<std::vector<Properties>> Retrieve(const common::CallScope& call,
                                                   absl::string_view type,
                                                   const std::vector<Ref>& objects,
                                                   const std::vector<std::string>& paths);
  /// The same of one; NOT_FOUND when it is gone.
  absl::StatusOr<Properties> RetrieveOne(const common::CallScope& call, const Ref& object,
                                         const std::vector<std::string>& paths);
  /// Properties of all objects of these types below `container`.
  struct TypePaths {
    std::string type;
    std::vector<std::string> paths;
  };
  absl::StatusOr<std::vector<Properties>> RetrieveBelow(const common::CallScope& call,
                                                        const Ref& container,
                                                        const std::vector<TypePaths>& types);

  /// Waits until `look` has a value for the properties of `object`, woken by the server at each
  /// change of them. No value when `until` passes first.
  template <typename T>
  absl::StatusOr<std::optional<T>> AwaitProperties(
      const common::CallScope& call, const Ref& object, const std::vector<std::string>& paths,
      absl::Time until,
      absl::FunctionRef<absl::StatusOr<std::optional<T>>(const Properties&)> look) {
    Watch watch(*this, call, object, paths);
    for (int looks = 1;; ++looks) {
      const absl::StatusOr<Properties> seen = RetrieveOne(call, object, paths);
      if (!seen.ok() && !IsTransient(seen.status())) return seen.status();
      if (seen.ok()) {
        absl::StatusOr<std::optional<T>> value = look(*seen);
        if (!value.ok() || value->has_value()) return value;
      }
      if (absl::Now() >= until) return std::nullopt;
      const absl::Status waited = watch.Wait(until, looks);
      if (!waited.ok()) return waited;
    }
  }

  /// The user, as "VSPHERE.LOCAL\machine", after logging in. Errors: UNAUTHENTICATED.
  absl::Status LogIn(const common::CallScope& call);

  /// Puts a file into a datastore, or elsewhere at this server. `source` is as
  /// HttpRequest::body_file.
  absl::Status PutFile(const common::CallScope& call, const std::string& url,
                       const std::string& file, const std::string& text);

  /// "https://vc.example.com:443".
  std::string Url(absl::string_view path) const;
  const Credentials& credentials() const { return credentials_; }
  /// A request to this server, with its authority to trust. Public for its REST services.
  common::HttpRequest Request(const common::CallScope& call, absl::string_view method,
                              const std::string& url) const;
  common::HttpClient& http() { return http_; }

 private:
  /// Wakes up when properties of an object change.
  class Watch {
   public:
    Watch(VimClient& client, const common::CallScope& call, const Ref& object,
          const std::vector<std::string>& paths)
        : client_(client), call_(call), object_(object), paths_(paths) {}
    ~Watch() { Close(); }
    /// Until a change, `until`, or a while. Errors: those of CallScope::Check().
    absl::Status Wait(absl::Time until, int looks);

   private:
    absl::Status Open();
    void Close();

    VimClient& client_;
    const common::CallScope& call_;
    const Ref object_;
    const std::vector<std::string> paths_;
    Ref collector_;
    std::string version_;
  };

  absl::StatusOr<XmlElement> Send(const common::CallScope& call, const Ref& object,
                                  absl::string_view method, absl::string_view arguments,
                                  const std::string& session, std::string* new_session);
  absl::StatusOr<XmlElement> SendInSession(const common::CallScope& call, const Ref& object,
                                           absl::string_view method, absl::string_view arguments);
  /// The session to use; opens one unless there is another than `stale`.
  absl::StatusOr<std::string> Session(const common::CallScope& call, const std::string& stale);
  absl::StatusOr<std::vector<Properties>> RetrieveSpec(const common::CallScope& call,
                                                       absl::string_view spec);

  common::HttpClient& http_;
  const Credentials credentials_;
  const Backoff backoff_;
  absl::Mutex login_mu_;
  mutable absl::Mutex mu_;
  /// The cookie; empty for none. Secret.
  std::string session_ ABSL_GUARDED_BY(mu_);
  std::optional<Service> service_ ABSL_GUARDED_BY(mu_);
  /// Whom to trust: as given, or the certificate of the thumbprint that was given.
  std::string ca_pem_ ABSL_GUARDED_BY(mu_);
};

/// Uses the session now and then for as long as it lives, in a thread of its own: a server ends one
/// that is not used for half an hour, and copying disks, which is asked for by other means than the
/// session, may take longer.
class KeepAlive {
 public:
  /// `client` and `call` outlive it.
  KeepAlive(VimClient& client, const common::CallScope& call, absl::Duration every);
  ~KeepAlive();

  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

 private:
  absl::Mutex mu_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

/// A fault of type `type`, as "DuplicateName", with the server's own words.
absl::Status ErrorOfFault(absl::string_view type, absl::string_view message);

/// The type of the fault in an error of ErrorOfFault(); empty for none.
std::string FaultOf(const absl::Status& status);

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_VIM_CLIENT_H_
