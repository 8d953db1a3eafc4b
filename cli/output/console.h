// The standard streams of a command.
#ifndef CLI_OUTPUT_CONSOLE_H_
#define CLI_OUTPUT_CONSOLE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace machine::cli {

/// Where a command writes, and where it asks. Thread-safe; each call is one write.
class Console {
 public:
  virtual ~Console() = default;

  /// Writes `text` as it is to standard output.
  virtual void Out(absl::string_view text) = 0;
  /// Writes `text` as it is to standard error.
  virtual void Err(absl::string_view text) = 0;
  /// Reads a line without its end into `line`; false at the end of input.
  virtual bool ReadLine(std::string& line) = 0;
  /// Standard output is a terminal.
  virtual bool OutIsTerminal() const = 0;
  /// Whether all output so far was taken, which it is not on a full disk.
  virtual bool ok() const = 0;
};

/// The process's own streams. Nothing is buffered.
class ProcessConsole final : public Console {
 public:
  void Out(absl::string_view text) override;
  void Err(absl::string_view text) override;
  bool ReadLine(std::string& line) override;
  bool OutIsTerminal() const override;
  bool ok() const override;

 private:
  void Write(int fd, absl::string_view text);

  mutable absl::Mutex mu_;
  bool ok_ ABSL_GUARDED_BY(mu_) = true;
};

/// Streams in memory.
class FakeConsole final : public Console {
 public:
  void Out(absl::string_view text) override;
  void Err(absl::string_view text) override;
  bool ReadLine(std::string& line) override;
  bool OutIsTerminal() const override { return terminal_; }
  bool ok() const override { return true; }

  std::string out() const;
  std::string err() const;
  void Clear();
  /// Blocks until standard output has `text`.
  void AwaitOut(absl::string_view text) const;
  /// Blocks until standard error has `text`.
  void AwaitErr(absl::string_view text) const;
  void set_input(std::string input) { input_ = std::move(input); }
  void set_terminal(bool terminal) { terminal_ = terminal; }

 private:
  mutable absl::Mutex mu_;
  std::string out_ ABSL_GUARDED_BY(mu_);
  std::string err_ ABSL_GUARDED_BY(mu_);
  std::string input_;
  bool terminal_ = false;
};

}  // namespace machine::cli

#endif  // CLI_OUTPUT_CONSOLE_H_
