// The contract of io/io.h on the real kernel: with everything that it has, with each feature
// masked, and with all of them masked.
#include "tests/io/io_contract.h"
#include "tests/io/uring_environment.h"

namespace outbox::io {

INSTANTIATE_TEST_SUITE_P(
    Uring, IoTest,
    testing::Values(UringEnvironment::Kind("AllFeatures", {}),
                    UringEnvironment::Kind("NoDeferTaskrun", {"defer_taskrun"}),
                    UringEnvironment::Kind("NoSingleIssuer", {"single_issuer"}),
                    UringEnvironment::Kind("NoMultishotAccept", {"multishot_accept"}),
                    UringEnvironment::Kind("NoBufferRing", {"provided_buffer_ring"}),
                    UringEnvironment::Kind("NoPollFirst", {"poll_first"}),
                    UringEnvironment::Kind("NoMsgRing", {"msg_ring"}),
                    UringEnvironment::Kind("Nothing",
                                           {"defer_taskrun", "single_issuer", "multishot_accept",
                                            "provided_buffer_ring", "poll_first", "msg_ring"})),
    IoEnvironmentName);

INSTANTIATE_TEST_SUITE_P(
    UringDatagrams, DatagramTest,
    testing::Values(UringEnvironment::Kind("AllFeatures", {}),
                    UringEnvironment::Kind("NoPollFirst", {"poll_first"}),
                    UringEnvironment::Kind("Nothing",
                                           {"defer_taskrun", "single_issuer", "multishot_accept",
                                            "provided_buffer_ring", "poll_first", "msg_ring"})),
    IoEnvironmentName);

}  // namespace outbox::io
