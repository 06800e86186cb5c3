// MaildirLink: a DeliveryLink whose other end is a directory: local mail into Maildirs.
//
// It asks its source for transactions and windows as an SMTP session does, and answers as a host
// would: 250 when the message is in the mailbox for good, 4xx when the disk is full or the mailbox
// cannot be written. Each transaction delivers one recipient; what else it has is offered again
// (as by a host that takes one at a time).
//
// Made by the shard's LinkFactory, ends with DeliverySource::OnSessionEnd.
#ifndef OUTBOX_QUEUE_MAILDIR_LINK_H_
#define OUTBOX_QUEUE_MAILDIR_LINK_H_

#include <cstdint>
#include <string>

#include "io/io.h"
#include "queue/delivery_link.h"
#include "queue/maildir_file.h"
#include "smtp/wire_text.h"

namespace outbox::queue {

class MaildirLink : public DeliveryLink, private MaildirFile::Owner {
 public:
  // `maildir`: as core/mailbox_name.h has it; `hostname` goes into the names of files.
  MaildirLink(io::Io* io, std::string maildir, const std::string& hostname,
              smtp::DeliverySource* source);
  ~MaildirLink() override;

  // DeliveryLink
  void Poke() override;
  void OfferWindow(uint64_t cookie) override;
  void Quit() override;
  void Abandon(smtp::SessionEnd why) override;

 private:
  enum class State : uint8_t {
    kAsking,   // the kick is on its way: then a transaction is asked for
    kIdle,     // the source said kLater
    kFailing,  // the kick is on its way: then the transaction ends with failure_
    kWriting,  // a transaction is in hand
    kEnding,   // the kick is on its way: then the session ends
  };

  // MaildirFile::Owner
  void OnReady() override;
  void OnWritten() override;
  void OnOver(int32_t result, const std::string& path) override;

  void Kick(State state);
  void OnKick(const io::OpResult& result);
  void AskForTransaction();
  void BeginTransaction();
  void GoOn();
  void EndTransaction(const smtp::RecipientResult& result);
  std::string NameOf(std::string_view recipient, size_t* unique) const;
  std::string HeaderOf(std::string_view recipient) const;

  io::Io* const io_;
  const std::string maildir_;
  const std::string hostname_;  // as it goes into a name
  smtp::DeliverySource* const source_;
  io::Op kick_;
  State state_ = State::kAsking;
  bool quit_ = false;
  bool abandoned_ = false;
  bool asking_again_ = false;  // Poke came while something was on its way
  bool window_asked_ = false;  // the source said kLater
  bool last_window_ = false;   // all of the body is in text_ or written
  bool source_failed_ = false;
  smtp::SessionEnd end_ = smtp::SessionEnd::kQuit;
  smtp::DeliveryRequest request_;
  smtp::WireText wire_;
  std::string text_;  // to be written next; at most a window and a header
  std::string reply_text_;
  MaildirFile file_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MAILDIR_LINK_H_
