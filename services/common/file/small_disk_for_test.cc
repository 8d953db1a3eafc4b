#include "services/common/file/small_disk_for_test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/process/unique_fd.h"

namespace machine::common {
namespace {

bool WriteText(const char* path, absl::string_view text) {
  const UniqueFd fd(open(path, O_WRONLY | O_CLOEXEC));
  return fd.valid() && write(fd.get(), text.data(), text.size()) >= 0;
}

// Who is not root may mount in a namespace of users, too.
bool EnterMountNamespace() {
  const uid_t user = geteuid();
  if (user != 0) {
    if (unshare(CLONE_NEWUSER) != 0 || !WriteText("/proc/self/setgroups", "deny") ||
        !WriteText("/proc/self/uid_map", absl::StrCat("0 ", user, " 1"))) {
      return false;
    }
  }
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace

SmallDiskForTest::SmallDiskForTest(std::string folder, int64_t bytes)
    : folder_(std::move(folder)),
      mounted_(EnterMountNamespace() && mount("tmpfs", folder_.c_str(), "tmpfs", 0,
                                              absl::StrCat("size=", bytes).c_str()) == 0) {}

SmallDiskForTest::~SmallDiskForTest() {
  if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
}

void SmallDiskForTest::Fill() const {
  const UniqueFd fd(open(absl::StrCat(folder_, "/ballast").c_str(),
                         O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600));
  const std::vector<char> piece(4096, 'x');
  while (write(fd.get(), piece.data(), piece.size()) > 0) {
  }
}

void SmallDiskForTest::MakeRoom() const { unlink(absl::StrCat(folder_, "/ballast").c_str()); }

}  // namespace machine::common
