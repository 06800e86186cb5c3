// SigningLine: where a shard's messages get their DKIM signatures, and which of them do.
//
// An RSA signature takes most of a millisecond, which no turn of the loop has. So what takes long
// stands in line for the helper thread, a few messages a job: the lines of the event log, which
// that thread writes as well, wait for no more than these. What is quick is signed on the spot.
//
// The table is today's; what is under way keeps the one that it began with. Shard-local.
#ifndef OUTBOX_QUEUE_SIGNING_LINE_H_
#define OUTBOX_QUEUE_SIGNING_LINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/intrusive_list.h"
#include "core/status.h"
#include "dkim/message_signer.h"
#include "dkim/signing_table.h"
#include "io/io.h"

namespace outbox::queue {

class ShardLog;

// One message. What it refers to stays in place until it is done.
struct SigningJob {
  // job.Bind<&Draft::OnSigned>(this):  void OnSigned();
  template <auto Method, typename Owner>
  void Bind(Owner* target) {
    owner = target;
    done = [](SigningJob* job) { (static_cast<Owner*>(job->owner)->*Method)(); };
  }

  std::unique_ptr<dkim::MessageSigner> signer;
  std::string_view body;   // wire form, that the signer has not been given yet
  std::string_view added;  // the fields that we put before the message
  uint64_t id = 0;         // the message's
  std::string fields;      // out: DKIM-Signature, whole lines; empty if there is none

  // The line's.
  core::ListLink link;
  int64_t now_wall_ns = 0;
  core::Status status;
  void* owner = nullptr;
  void (*done)(SigningJob* job) = nullptr;
};

class SigningLine {
 public:
  SigningLine(io::Io* io, ShardLog* log);
  SigningLine(const SigningLine&) = delete;
  SigningLine& operator=(const SigningLine&) = delete;

  // Null: nothing is signed.
  void SetTable(std::shared_ptr<const dkim::SigningTable> table) { table_ = std::move(table); }
  const std::shared_ptr<const dkim::SigningTable>& table() const { return table_; }

  // Who signs a message with this header section (wire form, without the empty line at its end):
  // by its author's domain, or if that has no entry by the envelope sender's (`sender`, may be
  // null). Null: nobody; `*why_not` is then set if it should have been signed.
  std::unique_ptr<dkim::MessageSigner> Choose(
      const std::shared_ptr<const dkim::SigningTable>& table, std::string_view header,
      std::string_view sender, const char** why_not);

  // Signs the message. True: it is done, at once. False: job->done is called later.
  bool Sign(SigningJob* job);
  // It goes without a signature that it was to get.
  void NotSigned(uint64_t id, std::string_view why);

 private:
  static void Work(SigningJob* job);
  void Start();
  void OnWorked(const io::OpResult& result);
  void Count(const SigningJob& job);

  io::Io* const io_;
  ShardLog* const log_;
  std::shared_ptr<const dkim::SigningTable> table_;
  std::string domain_;  // scratch: of an author
  core::IntrusiveList<SigningJob, &SigningJob::link> waiting_;
  core::IntrusiveList<SigningJob, &SigningJob::link> at_work_;  // the helper thread's
  io::Op op_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SIGNING_LINE_H_
