// Ctrl-C while an operation is followed.
#ifndef CLI_COMMANDS_INTERRUPTS_H_
#define CLI_COMMANDS_INTERRUPTS_H_

#include <functional>
#include <thread>

namespace machine::cli {

/// Tells somebody about each Ctrl-C instead of ending the process.
class Interrupts {
 public:
  /// Called on a thread of its own, with 1 for the first Ctrl-C.
  using Handler = std::function<void(int count)>;

  virtual ~Interrupts() = default;
  virtual void Start(Handler handler) = 0;
  /// Ctrl-C has its usual meaning again. The handler does not run when this has returned.
  virtual void Stop() = 0;
};

/// SIGINT of the process; at most one object at a time.
class SignalInterrupts final : public Interrupts {
 public:
  ~SignalInterrupts() override { Stop(); }
  void Start(Handler handler) override;
  void Stop() override;

 private:
  std::thread thread_;
};

/// Interrupts that a test gives.
class FakeInterrupts final : public Interrupts {
 public:
  void Start(Handler handler) override {
    handler_ = std::move(handler);
    count_ = 0;
  }
  void Stop() override { handler_ = nullptr; }
  void Give() {
    if (handler_) handler_(++count_);
  }

 private:
  Handler handler_;
  int count_ = 0;
};

}  // namespace machine::cli

#endif  // CLI_COMMANDS_INTERRUPTS_H_
