// The whole life of a machine that is a virtual machine of this host: from a disk image to a
// container over TLS, mostly under software emulation. One machine and one test, as it is slow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLimit = absl::Minutes(2);
// Of what QMP takes after its greeting.
constexpr char kPause[] =
    "import socket, os, sys\n"
    "os.chdir(sys.argv[1])\n"  // The path of a socket must be short.
    "s = socket.socket(socket.AF_UNIX); s.connect('qmp'); f = s.makefile('rw')\n"
    "f.readline()\n"
    "for c in ('qmp_capabilities', 'stop'):\n"
    "  f.write('{\"execute\": \"%s\"}\\n' % c); f.flush()\n"
    "  while 'return' not in f.readline(): pass\n";

class QemuDriverTest : public WorldTest {
 protected:
  void SetUp() override {
    const char* const disk = getenv("MACHINE_BED_DISK");
    if (!Bed::Ready() || disk == nullptr || *disk == '\0') GTEST_SKIP() << kNoBed;
    bed_.emplace();
    disk_ = disk;
    fs::copy_file("drivers/qemu/machine-driver-qemu", world_.libexec() + "/machine-driver-qemu");
    fs::create_directory(world_.Path("share"));
  }

  // Whatever becomes of the test.
  void TearDown() override {
    for (const ProcessName& vm : VirtualMachines()) {
      common::SignalProcess(vm.pid, vm.start_time, SIGKILL).IgnoreError();
    }
    WorldTest::TearDown();
  }

  std::vector<std::string> Folders() const {
    std::vector<std::string> folders;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(world_.server_dir() + "/qemu/machines", none)) {
      folders.push_back(entry.path().string());
    }
    return folders;
  }

  // The processes that the machines' pid files name.
  std::vector<ProcessName> VirtualMachines() const {
    std::vector<ProcessName> vms;
    for (const std::string& folder : Folders()) {
      const auto text = common::ReadFile(folder + "/pid");
      ProcessName vm;
      if (!text.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &vm.pid)) continue;
      const auto start_time = common::ProcessStartTime(vm.pid);
      if (!start_time.ok() || !common::IsAlive(vm.pid, *start_time)) continue;
      vm.start_time = *start_time;
      vms.push_back(vm);
    }
    return vms;
  }

  // All processes of QEMU that know this world's folder, found without those files.
  int Qemus() const {
    const Outcome found = world_.RunOther(
        {"pgrep", "--count", "--full", absl::StrCat("qemu-system.* ", world_.storage(), "/")});
    int count = -1;
    EXPECT_TRUE(absl::SimpleAtoi(Line(found.out), &count)) << found;
    return count;
  }

  Outcome Docker(absl::string_view words) const {
    return world_.RunOther(
        {"bash", "-euc", absl::StrCat("docker $(docker-machine config vm) ", words)});
  }

  void KillDriver() const {
    EXPECT_TRUE(
        Eventually(kLimit, [&] { return world_.SignalAll("machine-driver-qemu", SIGKILL) == 1; }));
  }

  void Step(absl::string_view name) {
    const int seconds = static_cast<int>(absl::ToInt64Seconds(absl::Now() - begin_));
    std::cout << "[" << seconds << " s] " << name << std::endl;
  }

  const absl::Time begin_ = absl::Now();
  std::optional<Bed> bed_;
  std::string disk_;
};

TEST_F(QemuDriverTest, MachineLivesItsWholeLife) {
  Step("create");
  ASSERT_EQ(common::WriteFileAtomically(world_.Path("share/word"), "shared\n", 0644).code(),
            absl::StatusCode::kOk);
  RunningCommand create =
      world_.Begin(absl::StrCat("create -d qemu --qemu-cache-mode=unsafe --qemu-image=", disk_,
                                " --qemu-share=", world_.Path("share"), ":/share:ro vm"));
  ASSERT_TRUE(Eventually(kLimit, [&] { return !VirtualMachines().empty(); })) << create.ErrSoFar();
  KillDriver();
  const Outcome created = create.Wait();
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(VirtualMachines(), SizeIs(1));
  EXPECT_EQ(Qemus(), 1) << "the driver was killed in the create";

  Step("use");
  EXPECT_EQ(Run("status vm").out, "Running\n");
  EXPECT_EQ(Run("ssh vm hostname; id -un; cat /share/word").out, "vm\nmachine\nshared\n");
  const Outcome imported = world_.RunOther(
      {"bash", "-euc",
       absl::StrCat(getenv("MACHINE_BED_SCRIPTS"), "/busybox.sh import busybox:test ",
                    "$(docker-machine config vm)")});
  ASSERT_EQ(imported.exit_code, 0) << imported;
  EXPECT_EQ(Docker("run --rm busybox:test echo hello").out, "hello\n");

  Step("pause");
  const Outcome paused = world_.RunOther({"python3", "-c", kPause, Folders().front()});
  ASSERT_EQ(paused.exit_code, 0) << paused;
  EXPECT_TRUE(Eventually(kLimit, [&] { return Run("status vm").out == "Paused\n"; }));
  EXPECT_EQ(Run("start vm").exit_code, 0);
  EXPECT_EQ(Run("status vm").out, "Running\n");

  Step("kill the driver");
  const pid_t vm = VirtualMachines().front().pid;
  KillDriver();
  EXPECT_EQ(Run("ssh vm hostname").out, "vm\n");
  EXPECT_EQ(VirtualMachines().front().pid, vm) << "it outlives its driver";

  Step("stop");
  const Outcome stopped = Run("stop vm");
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_EQ(Run("status vm").out, "Stopped\n");
  EXPECT_EQ(Qemus(), 0);
  Step("start");
  const Outcome started = Run("start vm");
  EXPECT_EQ(started.exit_code, 0) << started;
  EXPECT_EQ(Docker("images --quiet busybox:test | wc -l").out, "1\n") << "the disk is the same";

  Step("kill");
  const Outcome killed = Run("kill vm");
  EXPECT_EQ(killed.exit_code, 0) << killed;
  EXPECT_EQ(Run("status vm").out, "Stopped\n");
  Step("rm");
  const Outcome removed = Run("rm -y vm");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_THAT(Folders(), IsEmpty());
  EXPECT_EQ(Qemus(), 0);
  Step("end");
}

}  // namespace
}  // namespace machine::tests
