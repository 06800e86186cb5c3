// LinePeer: one end of a simulated connection, for scripted hosts that talk in lines.
//
// Receives all the time, keeps what has not been used in input(), and sends what is written in
// order. Scripted hosts are the rest of the world: they share nothing with the product but the
// door, so that a mistake of the product's own sessions cannot hide in its mirror image.
#ifndef OUTBOX_TESTS_SIMULATION_LINE_PEER_H_
#define OUTBOX_TESTS_SIMULATION_LINE_PEER_H_

#include <sys/uio.h>

#include <functional>
#include <string>
#include <string_view>

#include "io/io.h"

namespace outbox::simulation {

class LinePeer {
 public:
  // `on_input`: new bytes are in input(). `on_end`: the other side has closed (0) or the connection
  // broke (an errno value); the last call of the two. Neither is called once Close was.
  LinePeer(io::Io* io, io::Socket socket, std::function<void()> on_input,
           std::function<void(int)> on_end);
  LinePeer(const LinePeer&) = delete;
  LinePeer& operator=(const LinePeer&) = delete;

  std::string& input() { return input_; }
  // Takes the next line, without its CRLF, off the input. False when there is none yet.
  bool TakeLine(std::string* line);
  void Write(std::string_view text);
  // All that was written has left.
  bool all_gone() const { return queued_.empty() && !send_.in_flight; }
  // Says that it says no more, and reads on. REQUIRES: all_gone().
  void ShutdownWrite() { io_->ShutdownWrite(socket_); }
  // Stops or goes on reading: a peer that does not read pushes back.
  void SetReading(bool reading);
  // Ends the connection: with reset at once, otherwise when everything written has gone.
  void Close(bool reset);
  // Closed and nothing in flight: may be destroyed.
  bool gone() const { return gone_; }
  bool closing() const { return closing_; }

 private:
  void Receive();
  void SendMore();
  void OnReceived(const io::OpResult& result);
  void OnSent(const io::OpResult& result);
  void End(int error);
  void Finish();

  io::Io* io_;
  io::Socket socket_;
  std::function<void()> on_input_;
  std::function<void(int)> on_end_;
  std::string input_;
  std::string queued_;   // to be sent behind `sending_`
  std::string sending_;  // in flight
  iovec part_ = {};
  io::Op receive_;
  io::Op send_;
  bool reading_ = true;
  bool ended_ = false;  // the stream is over: nothing to receive any more
  bool closing_ = false;
  bool reset_ = false;
  bool gone_ = false;
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_LINE_PEER_H_
