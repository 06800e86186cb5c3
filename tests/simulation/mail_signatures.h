// MailSignatures: whose mail a simulated relay signs (DKIM), and whether what arrives is signed as
// it should be: once by each key, over what arrived.
#ifndef OUTBOX_TESTS_SIMULATION_MAIL_SIGNATURES_H_
#define OUTBOX_TESTS_SIMULATION_MAIL_SIGNATURES_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/random.h"
#include "tests/simulation/scripted_server.h"

namespace outbox::simulation {

class MailSignatures {
 public:
  // Draws entries: RSA, which is slow, and ed25519, which is not; for all of "example" or for some.
  explicit MailSignatures(core::Random* random);

  // Of today; none while signing is switched off.
  const std::vector<core::DkimConfig>& entries() const { return on_ ? entries_ : none_; }
  // From now on it is the other way round. Mail of any time may arrive later.
  void Switch() {
    on_ = !on_;
    switched_ = true;
  }

  // What is wrong with a message that has arrived; empty: nothing.
  std::string WrongWith(const TakenMessage& message) const;

 private:
  // As CheckSignatures says it.
  std::vector<std::string> Wanted(std::string_view domain) const;

  std::vector<core::DkimConfig> entries_;
  const std::vector<core::DkimConfig> none_;
  bool on_ = true;
  bool switched_ = false;
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_MAIL_SIGNATURES_H_
