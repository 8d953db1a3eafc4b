#include "services/common/ssh/sftp.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

enum PacketType : uint8_t {
  kInit = 1,
  kVersion = 2,
  kOpen = 3,
  kClose = 4,
  kRead = 5,
  kWrite = 6,
  kFsetstat = 10,
  kRemove = 13,
  kRename = 18,
  kStatus = 101,
  kHandle = 102,
  kData = 103,
  kExtended = 200,
};

enum StatusCode : uint32_t { kOk = 0, kEof = 1, kNoSuchFile = 2, kPermissionDenied = 3 };

constexpr uint32_t kForReading = 0x01;
constexpr uint32_t kForWriting = 0x02;
constexpr uint32_t kCreate = 0x08;
constexpr uint32_t kExclusive = 0x20;
constexpr uint32_t kHasPermissions = 0x04;

constexpr uint32_t kProtocolVersion = 3;
constexpr size_t kChunkBytes = 32 << 10;       // All servers take at least this much.
constexpr size_t kMaxPacketBytes = 256 << 10;  // OpenSSH's own limit.
constexpr size_t kMaxWritesInFlight = 32;
constexpr absl::string_view kPosixRename = "posix-rename@openssh.com";

std::string U32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string U64(uint64_t value) {
  return U32(static_cast<uint32_t>(value >> 32)) + U32(static_cast<uint32_t>(value));
}

std::string Text(absl::string_view value) {
  return absl::StrCat(U32(static_cast<uint32_t>(value.size())), value);
}

std::string Permissions(std::optional<mode_t> mode) {
  return mode.has_value() ? U32(kHasPermissions) + U32(*mode) : U32(0);
}

// Reads fields off the front; after an overrun every field is empty and ok() is false.
class Reader final {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  uint32_t TakeU32() {
    const absl::string_view field = Take(4);
    uint32_t value = 0;
    for (const char byte : field) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  absl::string_view TakeText() { return Take(TakeU32()); }
  bool empty() const { return bytes_.empty(); }
  bool ok() const { return ok_; }

 private:
  absl::string_view Take(size_t count) {
    ok_ = ok_ && count <= bytes_.size();
    if (!ok_) return bytes_ = {};
    const absl::string_view field = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return field;
  }

  absl::string_view bytes_;
  bool ok_ = true;
};

absl::Status BadPacket() {
  return absl::DataLossError("the sftp server sent a packet that is not sftp");
}

// OK for kOk; END_OF_FILE has no canonical code and is OUT_OF_RANGE here.
absl::Status StatusOfBody(absl::string_view body) {
  Reader reader(body);
  const uint32_t code = reader.TakeU32();
  const absl::string_view message = reader.TakeText();
  switch (code) {
    case kOk:
      return absl::OkStatus();
    case kEof:
      return absl::OutOfRangeError("end of file");
    case kNoSuchFile:
      return absl::NotFoundError(message);
    case kPermissionDenied:
      return absl::PermissionDeniedError(message);
    default:
      return absl::InternalError(absl::StrCat(message, " (sftp status ", code, ")"));
  }
}

}  // namespace

std::string TemporaryNameFor(absl::string_view path) {
  absl::BitGen random;
  return absl::StrCat(path, ".", absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16),
                      ".tmp");
}

// Bytes from the server, filled on the loop's thread.
struct SftpClient::Inbox {
  absl::Mutex mu;
  absl::CondVar changed;
  std::string bytes ABSL_GUARDED_BY(mu);
  absl::Status ended ABSL_GUARDED_BY(mu);
};

SftpClient::SftpClient() : inbox_(std::make_shared<Inbox>()) {}

SftpClient::~SftpClient() {
  if (session_ != nullptr) session_->Close();
}

absl::StatusOr<std::unique_ptr<SftpClient>> SftpClient::Start(const OpenSession& open,
                                                              const CallLimits& limits) {
  std::unique_ptr<SftpClient> client(new SftpClient);
  const auto end = [inbox = client->inbox_](const absl::Status& status) {
    absl::MutexLock lock(&inbox->mu);
    inbox->ended = status;
    inbox->changed.Signal();
  };
  SessionCallbacks callbacks;
  callbacks.on_stdout = [inbox = client->inbox_](absl::string_view bytes) {
    absl::MutexLock lock(&inbox->mu);
    inbox->bytes.append(bytes.data(), bytes.size());
    inbox->changed.Signal();
  };
  callbacks.on_exit = [end](int /*exit_code*/, absl::string_view /*signal*/) {
    // What sshd does when its sftp program is missing.
    end(Error(absl::StatusCode::kUnimplemented, machine::v1::ERROR_REASON_CAPABILITY_MISSING,
              "the sftp server ended"));
  };
  callbacks.on_error = end;
  DM_ASSIGN_OR_RETURN(client->session_, open(std::move(callbacks)));
  DM_RETURN_IF_ERROR(client->Greet(limits));
  return client;
}

absl::Status SftpClient::Greet(const CallLimits& limits) {
  SendRaw(kInit, U32(kProtocolVersion));
  DM_ASSIGN_OR_RETURN(const Packet packet, NextPacket(limits));
  if (packet.type != kVersion) return BadPacket();
  Reader reader(packet.body);
  reader.TakeU32();  // Servers that know more still speak version 3 to us.
  while (reader.ok() && !reader.empty()) {
    const absl::string_view name = reader.TakeText();
    const absl::string_view value = reader.TakeText();
    if (name == kPosixRename && value == "1") has_posix_rename_ = true;
  }
  return reader.ok() ? absl::OkStatus() : BadPacket();
}

void SftpClient::SendRaw(uint8_t type, absl::string_view body) {
  session_->Write(absl::StrCat(U32(static_cast<uint32_t>(body.size() + 1)),
                               std::string(1, static_cast<char>(type)), body));
}

uint32_t SftpClient::Send(uint8_t type, absl::string_view body) {
  const uint32_t id = next_id_++;
  SendRaw(type, absl::StrCat(U32(id), body));
  return id;
}

absl::StatusOr<SftpClient::Packet> SftpClient::NextPacket(const CallLimits& limits) {
  absl::MutexLock lock(&inbox_->mu);
  while (true) {
    Reader reader(inbox_->bytes);
    const uint32_t length = reader.TakeU32();
    if (reader.ok() && (length == 0 || length > kMaxPacketBytes)) {
      usable_ = false;
      return BadPacket();
    }
    if (reader.ok() && inbox_->bytes.size() >= 4 + size_t{length}) {
      Packet packet{static_cast<uint8_t>(inbox_->bytes[4]), inbox_->bytes.substr(5, length - 1)};
      inbox_->bytes.erase(0, 4 + size_t{length});
      return packet;
    }
    absl::Status status =
        inbox_->ended.ok() ? CheckLimits(limits, "the file transfer") : inbox_->ended;
    if (!status.ok()) {
      usable_ = false;
      return status;
    }
    inbox_->changed.WaitWithTimeout(&inbox_->mu, WaitSlice(limits));
  }
}

absl::StatusOr<SftpClient::Packet> SftpClient::Receive(uint32_t id, const CallLimits& limits) {
  for (auto it = early_.find(id); it == early_.end(); it = early_.find(id)) {
    DM_ASSIGN_OR_RETURN(Packet packet, NextPacket(limits));
    Reader reader(packet.body);
    const uint32_t answered = reader.TakeU32();
    if (!reader.ok()) {
      usable_ = false;
      return BadPacket();
    }
    packet.body.erase(0, sizeof(answered));
    early_[answered] = std::move(packet);
  }
  return std::move(early_.extract(id).mapped());
}

absl::Status SftpClient::Ask(uint8_t type, absl::string_view body, const CallLimits& limits) {
  DM_ASSIGN_OR_RETURN(const Packet answer, Receive(Send(type, body), limits));
  return answer.type == kStatus ? StatusOfBody(answer.body) : BadPacket();
}

absl::StatusOr<std::string> SftpClient::OpenFile(absl::string_view path, uint32_t flags,
                                                 std::optional<mode_t> mode,
                                                 const CallLimits& limits) {
  const uint32_t id = Send(kOpen, absl::StrCat(Text(path), U32(flags), Permissions(mode)));
  DM_ASSIGN_OR_RETURN(const Packet answer, Receive(id, limits));
  if (answer.type == kHandle) {
    Reader reader(answer.body);
    return std::string(reader.TakeText());
  }
  absl::Status status = answer.type == kStatus ? StatusOfBody(answer.body) : BadPacket();
  return status.ok() ? BadPacket() : status;
}

absl::Status SftpClient::WriteAll(absl::string_view handle, absl::string_view contents,
                                  const CallLimits& limits) {
  std::deque<uint32_t> in_flight;
  absl::Status status;
  size_t offset = 0;
  while (offset < contents.size() || !in_flight.empty()) {
    if (status.ok() && offset < contents.size() && in_flight.size() < kMaxWritesInFlight) {
      const absl::string_view chunk = contents.substr(offset, kChunkBytes);
      in_flight.push_back(Send(kWrite, absl::StrCat(Text(handle), U64(offset), Text(chunk))));
      offset += chunk.size();
      continue;
    }
    if (in_flight.empty()) break;
    DM_ASSIGN_OR_RETURN(const Packet answer, Receive(in_flight.front(), limits));
    in_flight.pop_front();
    // After a failure the other answers are still taken, so that the session stays usable.
    status.Update(answer.type == kStatus ? StatusOfBody(answer.body) : BadPacket());
  }
  return status;
}

absl::Status SftpClient::WriteFile(absl::string_view path, mode_t mode, absl::string_view contents,
                                   const CallLimits& limits) {
  // Never more than `mode`: the server's umask may only take bits away, until all is written.
  DM_ASSIGN_OR_RETURN(const std::string handle,
                      OpenFile(path, kForWriting | kCreate | kExclusive, mode, limits));
  absl::Status status = WriteAll(handle, contents, limits);
  if (status.ok()) {
    status = Ask(kFsetstat, absl::StrCat(Text(handle), Permissions(mode)), limits);
  }
  if (!usable_) return status;
  status.Update(Ask(kClose, Text(handle), limits));
  return status;
}

absl::Status SftpClient::Rename(absl::string_view from, absl::string_view to,
                                const CallLimits& limits) {
  if (has_posix_rename_) {
    return Ask(kExtended, absl::StrCat(Text(kPosixRename), Text(from), Text(to)), limits);
  }
  // The standard rename does not replace a file.
  const absl::Status removed = Ask(kRemove, Text(to), limits);
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  return Ask(kRename, absl::StrCat(Text(from), Text(to)), limits);
}

absl::Status SftpClient::Upload(absl::string_view path, mode_t mode, absl::string_view contents,
                                const CallLimits& limits) {
  const std::string temporary = TemporaryNameFor(path);
  absl::Status status = WriteFile(temporary, mode, contents, limits);
  if (status.ok()) status = Rename(temporary, path, limits);
  if (!status.ok() && usable_) Ask(kRemove, Text(temporary), limits).IgnoreError();
  return Annotate(std::move(status), absl::StrCat("writing ", path));
}

absl::StatusOr<std::string> SftpClient::ReadAll(absl::string_view handle, size_t max_bytes,
                                                const CallLimits& limits) {
  std::string contents;
  while (true) {
    const uint32_t id = Send(kRead, absl::StrCat(Text(handle), U64(contents.size()),
                                                 U32(static_cast<uint32_t>(kChunkBytes))));
    DM_ASSIGN_OR_RETURN(const Packet answer, Receive(id, limits));
    if (answer.type == kData) {
      Reader reader(answer.body);
      const absl::string_view chunk = reader.TakeText();
      contents.append(chunk.data(), chunk.size());
      if (contents.size() > max_bytes) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the file has more than ", max_bytes, " bytes"));
      }
      continue;
    }
    const absl::Status status = answer.type == kStatus ? StatusOfBody(answer.body) : BadPacket();
    if (absl::IsOutOfRange(status)) return contents;
    return status.ok() ? BadPacket() : status;
  }
}

absl::StatusOr<std::string> SftpClient::Download(absl::string_view path, size_t max_bytes,
                                                 const CallLimits& limits) {
  const std::string context = absl::StrCat("reading ", path);
  absl::StatusOr<std::string> handle = OpenFile(path, kForReading, std::nullopt, limits);
  if (!handle.ok()) return Annotate(handle.status(), context);
  absl::StatusOr<std::string> contents = ReadAll(*handle, max_bytes, limits);
  if (usable_) Ask(kClose, Text(*handle), limits).IgnoreError();
  return Annotate(std::move(contents), context);
}

}  // namespace machine::common
