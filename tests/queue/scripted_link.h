// ScriptedLink: a DeliveryLink that speaks to a Script instead of a host.
//
// It keeps the contract of smtp/delivery_source.h as a pipelining client would: the next
// transaction is asked for behind the body of the one in hand, all calls come from the loop, every
// recipient of every transaction gets one result, every window goes back before the session's end.
#ifndef OUTBOX_TESTS_QUEUE_SCRIPTED_LINK_H_
#define OUTBOX_TESTS_QUEUE_SCRIPTED_LINK_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "queue/delivery_link.h"
#include "tests/queue/shard_world.h"

namespace outbox::queue {

class ScriptedLink : public DeliveryLink {
 public:
  ScriptedLink(ShardWorld* world, uint32_t shard, const std::string& host,
               smtp::DeliverySource* source);
  ~ScriptedLink() override;

  void Poke() override;
  void OfferWindow(uint64_t cookie) override;
  void Quit() override;
  void Abandon(smtp::SessionEnd why) override;

 private:
  struct Transaction {
    smtp::DeliveryRequest request;
    std::vector<bool> accepted;   // and undecided
    bool begun_envelope = false;  // RCPTs have been answered
    bool body_sent = false;
    std::string body;
    std::string recipients;  // copies that must still be equal when the transaction is done
    std::vector<uint64_t> windows;
  };

  void Later(void (ScriptedLink::*step)());
  const Script& script() const { return world_->scripts_[host_]; }
  bool Chance(uint32_t percent) { return world_->random().Chance(percent, 100); }
  void OnConnected();
  void Ask();
  void Envelope();
  void SendBody();
  void SentSoFar();
  void FinalDot();
  void Result(Transaction* t, size_t index, smtp::ResultKind kind, uint16_t code,
              smtp::Stage stage);
  void EndTransaction();
  void End(smtp::SessionEnd end, smtp::Stage stage, uint16_t code);
  void EndNow();
  static std::string Names(const smtp::DeliveryRequest& request);

  ShardWorld* const world_;
  const uint32_t shard_;
  const std::string host_;
  smtp::DeliverySource* const source_;
  // Events that are on their way when the link dies find this gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::deque<std::unique_ptr<Transaction>> in_hand_;
  bool open_ = false;
  bool connected_ = false;
  bool no_more_ = false;
  bool ended_ = false;
  bool wants_window_ = false;
  bool in_source_ = false;
  smtp::SessionEnd end_ = smtp::SessionEnd::kQuit;
  smtp::Stage end_stage_ = smtp::Stage::kQuit;
  uint16_t end_code_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_QUEUE_SCRIPTED_LINK_H_
