// qemu-system-x86_64 as the driver uses it: a process without a guest.
#ifndef TESTS_FAKES_QEMU_FAKE_MACHINE_H_
#define TESTS_FAKES_QEMU_FAKE_MACHINE_H_

#include <string>
#include <vector>

namespace machine::fakes {

/// Runs it with `arguments` (without its own name) and returns its exit status. As the real one it
/// refuses unknown options and properties, locks its pid file and its disk, listens on forwarded
/// ports, goes into the background once all is ready, and answers QMP, one client at a time, only
/// after capabilities were agreed on. Folder $FAKE_QEMU_DIR tells it how to behave, by files:
///
///   kvm                guests run under KVM; without it the first one aborts
///   fail               holds words with which the next start fails; it is used up
///   deaf               the guest does not obey its power button
///   silent             QMP accepts connections and says nothing
///   agent              holds the IPv4 address that the guest's agent tells; without it there is
///   none status             holds the RunState to report instead of the own one
///
/// and it appends a line "UUID PID" for each start to `started`. It ends when that folder does.
int RunFakeMachine(const std::vector<std::string>& arguments);

}  // namespace machine::fakes

#endif  // TESTS_FAKES_QEMU_FAKE_MACHINE_H_
