#include "tests/fakes/qemu/fake_machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;
using Properties = std::multimap<std::string, std::string>;

constexpr int kAborted = 134;
constexpr int kPollMs = 200;

// What may stand in the values of each option; "" is a value without a name.
const std::map<std::string, std::set<std::string>>& KnownOptions() {
  static const auto* const known = new std::map<std::string, std::set<std::string>>{
      {"-display", {""}},
      {"-name", {"guest"}},
      {"-uuid", {""}},
      {"-pidfile", {""}},
      {"-machine", {""}},
      {"-accel", {"", "thread", "tb-size"}},
      {"-cpu", {""}},
      {"-smp", {""}},
      {"-m", {""}},
      {"-drive", {"if", "id", "unit", "format", "readonly", "discard", "cache", "file"}},
      {"-device",
       {"", "drive", "bootindex", "netdev", "mac", "chardev", "name", "fsdev", "mount_tag",
        "iobase", "iosize"}},
      {"-netdev", {"", "id", "hostfwd", "br", "ifname", "script", "downscript"}},
      {"-chardev", {"", "id", "server", "wait", "path", "size"}},
      {"-fsdev", {"", "id", "security_model", "path", "readonly"}},
      {"-serial", {""}},
      {"-qmp", {"", "server", "wait"}},
      {"-sandbox", {"", "obsolete", "resourcecontrol"}},
  };
  return *known;
}

const std::set<std::string>& KnownSwitches() {
  static const auto* const known =
      new std::set<std::string>{"-no-user-config", "-nodefaults", "-daemonize", "-no-reboot"};
  return *known;
}

// Two commas stand for one.
Properties ReadProperties(const std::string& text) {
  Properties properties;
  std::string part;
  const auto take = [&] {
    const size_t equals = part.find('=');
    properties.emplace(equals == std::string::npos ? "" : part.substr(0, equals),
                       equals == std::string::npos ? part : part.substr(equals + 1));
    part.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      part += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      part += text[i++];
    } else {
      take();
    }
  }
  take();
  return properties;
}

std::string Get(const Properties& properties, const std::string& name) {
  const auto it = properties.find(name);
  return it == properties.end() ? "" : it->second;
}

class FakeMachine {
 public:
  int Run(const std::vector<std::string>& arguments);

 private:
  struct Option {
    std::string name;
    std::string text;
    Properties properties;
  };
  enum class Peer { kQmp, kAgent };

  bool Parse(const std::vector<std::string>& arguments);
  // Everything that can go wrong before the machine runs; false after Refuse().
  bool Prepare();
  bool OpenDrive(const Properties& drive);
  bool Forward(const std::string& rule);
  bool ListenAt(const std::string& path, Peer peer);
  void Serve();
  void Talk(Peer peer, int fd);
  // What is to be said to a line of the peer's.
  std::string AnswerQmp(const Json& request, bool& agreed);
  std::string AnswerAgent(const Json& request);
  void PowerButton();

  bool Refuse(const std::string& message) {
    std::cerr << "qemu-system-x86_64: " << message << std::endl;
    return false;
  }
  std::vector<Properties> All(const std::string& name) const;
  std::string Text(const std::string& name) const;
  std::string Order(const std::string& name) const {
    return common::ReadFile(absl::StrCat(folder_, "/", name)).value_or("");
  }
  bool Ordered(const std::string& name) const {
    return access(absl::StrCat(folder_, "/", name).c_str(), F_OK) == 0;
  }

  std::string folder_;
  std::vector<Option> options_;
  std::set<std::string> switches_;
  std::vector<common::UniqueFd> held_;
  std::map<Peer, common::UniqueFd> listeners_;
  std::string status_ = "running";
  bool over_ = false;
};

std::vector<Properties> FakeMachine::All(const std::string& name) const {
  std::vector<Properties> all;
  for (const Option& option : options_) {
    if (option.name == name) all.push_back(option.properties);
  }
  return all;
}

std::string FakeMachine::Text(const std::string& name) const {
  for (const Option& option : options_) {
    if (option.name == name) return option.text;
  }
  return "";
}

bool FakeMachine::Parse(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (KnownSwitches().count(name) != 0) {
      switches_.insert(name);
      continue;
    }
    const auto known = KnownOptions().find(name);
    if (known == KnownOptions().end()) return Refuse(name + ": invalid option");
    if (++i == arguments.size()) return Refuse(name + ": requires an argument");
    Option option = {name, arguments[i], ReadProperties(arguments[i])};
    for (const auto& [property, value] : option.properties) {
      if (known->second.count(property) == 0) {
        return Refuse(
            absl::StrCat(name, " ", arguments[i], ": Invalid parameter '", property, "'"));
      }
    }
    options_.push_back(std::move(option));
  }
  return true;
}

bool Lock(int fd) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool FakeMachine::OpenDrive(const Properties& drive) {
  const std::string path = Get(drive, "file");
  const bool read_only = Get(drive, "readonly") == "on";
  common::UniqueFd fd(open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  if (!fd.valid()) return Refuse("Could not open '" + path + "'");
  if (!read_only && !Lock(fd.get())) return Refuse("Failed to get \"write\" lock");
  if (Get(drive, "format") == "qcow2") {
    const Json image = Json::parse(common::ReadFile(path).value_or(""), nullptr, false);
    if (!image.is_object()) return Refuse("Image is not in qcow2 format");
    const std::string base = image.value("backing-filename", "");
    if (access(base.c_str(), R_OK) != 0) return Refuse("Could not open backing file " + base);
  }
  held_.push_back(std::move(fd));
  return true;
}

bool FakeMachine::Forward(const std::string& rule) {
  // tcp:ADDRESS:PORT-:PORT
  const std::vector<std::string> parts = absl::StrSplit(rule, absl::ByAnyChar(":-"));
  int port = 0;
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  if (parts.size() != 5 || parts[0] != "tcp" || !absl::SimpleAtoi(parts[2], &port) ||
      inet_pton(AF_INET, parts[1].c_str(), &where.sin_addr) != 1) {
    return Refuse("Invalid host forwarding rule '" + rule + "'");
  }
  where.sin_port = htons(static_cast<uint16_t>(port));
  common::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0 ||
      listen(fd.get(), 1) != 0) {
    return Refuse("Could not set up host forwarding rule '" + rule + "'");
  }
  held_.push_back(std::move(fd));
  return true;
}

bool FakeMachine::ListenAt(const std::string& path, Peer peer) {
  sockaddr_un where = {};
  where.sun_family = AF_UNIX;
  if (path.size() >= sizeof(where.sun_path)) return Refuse("UNIX socket path is too long");
  std::copy(path.begin(), path.end(), where.sun_path);
  unlink(path.c_str());
  common::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0 ||
      listen(fd.get(), 1) != 0) {
    return Refuse("Failed to bind socket to " + path);
  }
  listeners_[peer] = std::move(fd);
  return true;
}

bool FakeMachine::Prepare() {
  const std::string pid_path = Text("-pidfile");
  common::UniqueFd pid_file(open(pid_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!pid_file.valid() || !Lock(pid_file.get())) return Refuse("cannot create PID file");
  const std::string failure = Order("fail");
  if (!failure.empty()) {
    unlink(absl::StrCat(folder_, "/fail").c_str());
    return Refuse(failure);
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(pid_file.get(), 0) != 0 ||
      write(pid_file.get(), pid.data(), pid.size()) != static_cast<ssize_t>(pid.size())) {
    return Refuse("cannot write PID file");
  }
  held_.push_back(std::move(pid_file));
  for (const Properties& drive : All("-drive")) {
    if (!OpenDrive(drive)) return false;
  }
  for (const Properties& netdev : All("-netdev")) {
    const auto [begin, end] = netdev.equal_range("hostfwd");
    for (auto it = begin; it != end; ++it) {
      if (!Forward(it->second)) return false;
    }
  }
  for (const Properties& chardev : All("-chardev")) {
    const std::string path = Get(chardev, "path");
    if (!path.empty() && !ListenAt(path, Peer::kAgent)) return false;
  }
  const std::string qmp = Get(All("-qmp").empty() ? Properties() : All("-qmp").front(), "");
  return ListenAt(std::string(absl::StripPrefix(qmp, "unix:")), Peer::kQmp);
}

void FakeMachine::PowerButton() {
  if (status_ == "running" && !Ordered("deaf")) over_ = true;
}

std::string FakeMachine::AnswerQmp(const Json& request, bool& agreed) {
  const std::string command = request.value("execute", "");
  const auto error = [](const std::string& message) {
    return Json{{"error", {{"class", "GenericError"}, {"desc", message}}}}.dump();
  };
  const std::string done = R"({"return": {}})";
  if (command == "qmp_capabilities") {
    agreed = true;
    return done;
  }
  if (!agreed) return error("Expecting capabilities negotiation with 'qmp_capabilities'");
  if (command == "query-status") {
    const std::string ordered = Order("status");
    const std::string status = ordered.empty() ? status_ : ordered;
    return Json{{"return", {{"status", status}, {"running", status == "running"}}}}.dump();
  }
  if (command == "stop") {
    status_ = "paused";
    return absl::StrCat(R"({"event": "STOP"})", "\r\n", done);
  }
  if (command == "cont") {
    status_ = "running";
    return absl::StrCat(R"({"event": "RESUME"})", "\r\n", done);
  }
  if (command == "system_wakeup")
    return error("Unable to wake up: guest is not in suspended state");
  if (command == "system_powerdown") {
    PowerButton();
    return done;
  }
  if (command == "quit") {
    over_ = true;
    return done;
  }
  return error("The command " + command + " has not been found");
}

std::string FakeMachine::AnswerAgent(const Json& request) {
  const std::string command = request.value("execute", "");
  if (command == "guest-sync") return Json{{"return", request["arguments"]["id"]}}.dump();
  std::string mac;
  for (const Properties& device : All("-device")) {
    if (!Get(device, "mac").empty()) mac = Get(device, "mac");
  }
  const auto interface = [](const std::string& hardware, const std::string& address) {
    return Json{
        {"name", "eth0"},
        {"hardware-address", hardware},
        {"ip-addresses", Json::array({{{"ip-address-type", "ipv4"}, {"ip-address", address}}})}};
  };
  return Json{{"return", Json::array({interface("00:00:00:00:00:00", "127.0.0.1"),
                                      interface(mac, Order("agent"))})}}
      .dump();
}

void FakeMachine::Talk(Peer peer, int fd) {
  const auto say = [fd](const std::string& text) {
    const std::string line = text + "\r\n";
    send(fd, line.data(), line.size(), MSG_NOSIGNAL);
  };
  const bool mute = peer == Peer::kQmp ? Ordered("silent") : !Ordered("agent");
  if (peer == Peer::kQmp && !mute) {
    say(R"({"QMP": {"version": {"qemu": {"major": 7, "minor": 2}}, "capabilities": ["oob"]}})");
  }
  bool agreed = false;
  std::string buffer;
  char bytes[4096];
  for (ssize_t count; !over_ && (count = recv(fd, bytes, sizeof(bytes), 0)) > 0;) {
    buffer.append(bytes, static_cast<size_t>(count));
    for (size_t end; (end = buffer.find('\n')) != std::string::npos;) {
      const Json request = Json::parse(buffer.substr(0, end), nullptr, false);
      buffer.erase(0, end + 1);
      if (mute || !request.is_object()) continue;
      say(peer == Peer::kQmp ? AnswerQmp(request, agreed) : AnswerAgent(request));
    }
  }
}

void FakeMachine::Serve() {
  while (!over_ && access(folder_.c_str(), F_OK) == 0) {
    std::vector<pollfd> fds;
    for (const auto& [peer, listener] : listeners_) fds.push_back({listener.get(), POLLIN, 0});
    if (poll(fds.data(), fds.size(), kPollMs) <= 0) continue;
    for (const auto& [peer, listener] : listeners_) {
      const auto ready = std::find_if(fds.begin(), fds.end(), [&](const pollfd& fd) {
        return fd.fd == listener.get() && (fd.revents & POLLIN) != 0;
      });
      if (ready == fds.end()) continue;
      const common::UniqueFd fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (fd.valid()) Talk(peer, fd.get());
    }
  }
  unlink(Text("-pidfile").c_str());
}

int FakeMachine::Run(const std::vector<std::string>& arguments) {
  const char* const folder = std::getenv("FAKE_QEMU_DIR");
  folder_ = folder == nullptr ? "" : folder;
  if (!Parse(arguments)) return 1;
  const bool kvm = Get(All("-accel").empty() ? Properties() : All("-accel").front(), "") == "kvm";
  if (kvm && !Ordered("kvm")) {
    Refuse("error: failed to set MSR 0x10a to 0x69");
    return kAborted;
  }
  // The guest of the first run writes 0x10 to isa-debug-exit.
  if (switches_.count("-daemonize") == 0) return 0x21;
  int ready[2];
  if (pipe(ready) != 0) return 1;
  if (fork() != 0) {
    close(ready[1]);
    char code = 1;
    return read(ready[0], &code, 1) == 1 ? code : 1;
  }
  setsid();
  close(ready[0]);
  signal(SIGPIPE, SIG_IGN);
  const char code = Prepare() ? 0 : 1;
  if (code == 0) {
    std::ofstream(absl::StrCat(folder_, "/started"), std::ios::app)
        << absl::StrCat(Text("-uuid"), " ", getpid(), "\n");
  }
  const bool told = write(ready[1], &code, 1) == 1;
  close(ready[1]);
  if (code != 0 || !told) return 1;
  const common::UniqueFd null(open("/dev/null", O_RDWR));
  for (const int fd : {0, 1, 2}) dup2(null.get(), fd);
  Serve();
  return 0;
}

}  // namespace

int RunFakeMachine(const std::vector<std::string>& arguments) {
  return FakeMachine().Run(arguments);
}

}  // namespace machine::fakes
