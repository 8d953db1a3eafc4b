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
  /// Characters in a line of that terminal now.
  virtual int OutColumns() const = 0;
  /// Whether standard output took all so far, which it does not on a full disk.
  virtual bool ok() const = 0;
};

/// The process's own streams. Nothing is buffered. Made first thing: a stream that the process was
/// started without, as by `>&-`, stays closed to what it reads and writes, but has its number,
/// which the next file or connection would be given otherwise, with the output in it.
class ProcessConsole final : public Console {
 public:
  ProcessConsole();

  void Out(absl::string_view text) override;
  void Err(absl::string_view text) override;
  bool ReadLine(std::string& line) override;
  bool OutIsTerminal() const override;
  int OutColumns() const override;
  bool ok() const override;

 private:
  bool Write(int fd, absl::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

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
  int OutColumns() const override { return columns_; }
  bool ok() const override { return true; }

  std::string out() const;
  std::string err() const;
  void Clear();
  /// Blocks until standard output has `text`.
  void AwaitOut(absl::string_view text) const;
  /// Blocks until standard error has `text`.
  void AwaitErr(absl::string_view text) const;
  void set_input(std::string input) { input_ = std::move(input); }
  void set_terminal(bool terminal, int columns = 80) {
    terminal_ = terminal;
    columns_ = columns;
  }

 private:
  mutable absl::Mutex mu_;
  std::string out_ ABSL_GUARDED_BY(mu_);
  std::string err_ ABSL_GUARDED_BY(mu_);
  std::string input_;
  bool terminal_ = false;
  int columns_ = 80;
};

}  // namespace machine::cli

#endif  // CLI_OUTPUT_CONSOLE_H_
