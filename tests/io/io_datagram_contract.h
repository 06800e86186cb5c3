// The contract of io/io.h as tests: datagrams.
#ifndef OUTBOX_TESTS_IO_IO_DATAGRAM_CONTRACT_H_
#define OUTBOX_TESTS_IO_IO_DATAGRAM_CONTRACT_H_

#include <errno.h>

#include <set>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/io/io_environment.h"

namespace outbox::io {

class DatagramTest : public IoTest {
 protected:
  // Two sockets that send to each other.
  std::pair<Socket, Socket> Pair() {
    core::SocketAddress left_address = environment_->Address();
    core::SocketAddress right_address = left_address;
    left_address.port = FreePort();
    right_address.port = FreePort();
    const int left = io_->OpenUdp(right_address, &left_address);
    const int right = io_->OpenUdp(left_address, &right_address);
    EXPECT_GE(left, 0);
    EXPECT_GE(right, 0);
    return {left, right};
  }
  // The kernel's choice, as it was a moment ago.
  uint16_t FreePort() {
    core::SocketAddress somebody = environment_->Address();
    somebody.port = 9;
    const int socket = io_->OpenUdp(somebody, nullptr);
    EXPECT_GE(socket, 0);
    const uint16_t port = io_->LocalAddress(socket).port;
    io_->CloseSocket(socket, false);
    return port;
  }
  int32_t SendText(Socket socket, const std::string& text) {
    const iovec part = Part(text);
    Waiter send(io_);
    io_->Send(&send.op, socket, {&part, 1});
    EXPECT_TRUE(send.results.empty());  // never inside the call
    return Finish(&send);
  }
  // One datagram, at most `room` bytes of it.
  std::string ReceiveText(Socket socket, size_t room = 2048) {
    std::string memory(room, '\0');
    Waiter receive(io_);
    io_->RecvInto(&receive.op, socket, std::span(memory));
    EXPECT_TRUE(receive.results.empty());
    const int32_t size = Finish(&receive);
    EXPECT_GE(size, 0);
    memory.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return memory;
  }
};

TEST_P(DatagramTest, EachDatagramIsReceivedForItself) {
  const auto [left, right] = Pair();
  EXPECT_EQ(io_->PeerAddress(left), io_->LocalAddress(right));
  EXPECT_EQ(io_->PeerAddress(right), io_->LocalAddress(left));
  const std::string large = Pattern(1200);
  std::multiset<std::string> received;
  EXPECT_EQ(SendText(left, "one"), 3);
  EXPECT_EQ(SendText(left, "three"), 5);
  EXPECT_EQ(SendText(left, large), 1200);
  for (int i = 0; i < 3; ++i) received.insert(ReceiveText(right));
  EXPECT_EQ(received, (std::multiset<std::string>{"one", "three", large}));
  SendText(right, "and back");
  EXPECT_EQ(ReceiveText(left), "and back");
  io_->CloseSocket(left, false);
  io_->CloseSocket(right, false);
}

TEST_P(DatagramTest, PartsMakeOneDatagramAndWhatDoesNotFitIsLost) {
  const auto [left, right] = Pair();
  const std::string head = "head,";
  const std::string rest = "rest";
  const iovec parts[] = {Part(head), Part(rest)};
  Waiter send(io_);
  io_->Send(&send.op, left, parts);
  EXPECT_EQ(Finish(&send), 9);
  EXPECT_EQ(ReceiveText(right), "head,rest");
  SendText(left, "0123456789");
  EXPECT_EQ(ReceiveText(right, 4), "0123");
  SendText(left, "next");
  EXPECT_EQ(ReceiveText(right), "next");
  io_->CloseSocket(left, false);
  io_->CloseSocket(right, false);
}

TEST_P(DatagramTest, CancelledReceive) {
  const auto [left, right] = Pair();
  std::string memory(100, '\0');
  Waiter receive(io_);
  for (int turns = 0; turns < 3; ++turns) {
    receive.Clear();
    io_->RecvInto(&receive.op, right, std::span(memory));
    for (int i = 0; i < turns; ++i) io_->Turn(0);
    io_->Cancel(&receive.op);
    EXPECT_TRUE(receive.results.empty());
    EXPECT_EQ(Finish(&receive), -ECANCELED);
  }
  SendText(left, "still here");
  EXPECT_EQ(ReceiveText(right), "still here");
  io_->CloseSocket(left, false);
  io_->CloseSocket(right, false);
}

TEST_P(DatagramTest, NobodyListensThere) {
  core::SocketAddress nobody = environment_->Address();
  nobody.port = FreePort();
  const int socket = io_->OpenUdp(nobody, nullptr);
  ASSERT_GE(socket, 0);
  std::string memory(100, '\0');
  Waiter receive(io_);
  io_->RecvInto(&receive.op, socket, std::span(memory));
  EXPECT_EQ(SendText(socket, "hello?"), 6);
  EXPECT_EQ(Finish(&receive), -ECONNREFUSED);
  io_->CloseSocket(socket, false);
}

TEST_P(DatagramTest, SourcePortsDiffer) {
  std::set<uint16_t> ports;
  for (int i = 0; i < 20; ++i) ports.insert(FreePort());
  EXPECT_GT(ports.size(), 10u);
}

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_IO_DATAGRAM_CONTRACT_H_
