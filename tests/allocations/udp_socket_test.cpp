#include "tests/allocations/counting.hpp"
#include "tests/peer/udp_sockets.hpp"

namespace ppsp::peer {
namespace {

constexpr std::size_t datagrams_at_once = 32;
constexpr std::size_t datagram_bytes = 1200;

/// Two sockets that send one another batches, in the memory of what was sent before.
class UdpAllocationsTest : public UdpSocketTest {
protected:
    /// One batch there and one back.
    void exchange()
    {
        for (auto* const sender : {one.get(), other.get()}) {
            std::uint64_t const expected = received + datagrams_at_once;
            auto const& to = sender == one.get() ? to_other : to_one;
            for (std::size_t i = 0; i < datagrams_at_once; ++i) {
                ByteVector bytes = spare.take();
                bytes.resize(datagram_bytes);
                sender->send(to, std::move(bytes));
            }
            sender->flush();
            run_until([&] { return received == expected; });
        }
    }

    SpareBuffers spare;
    std::uint64_t received = 0;
    std::unique_ptr<UdpSocket> one = open("127.0.0.1:0", {.spare = &spare});
    std::unique_ptr<UdpSocket> other = open("127.0.0.1:0", {.spare = &spare});
    Endpoint const to_one = one->local_endpoint();
    Endpoint const to_other = other->local_endpoint();
};

TEST_F(UdpAllocationsTest, datagrams_through_sockets_need_none)
{
    for (auto* const socket : {one.get(), other.get()}) {
        socket->start([this](auto const& batch) { received += batch.size(); });
    }
    test::counted([&] { exchange(); });
    ASSERT_GT(test::allocations, 0u) << "they are counted";
    for (int i = 0; i < 10; ++i) {
        exchange();
    }
    std::uint64_t const before = test::allocations;
    std::uint64_t const datagrams = received;
    test::counted([&] {
        for (int i = 0; i < 100; ++i) {
            exchange();
        }
    });
    ASSERT_EQ(received - datagrams, 200 * datagrams_at_once);
    EXPECT_LE(test::allocations - before, 20u) << "for thousands of datagrams";
    RecordProperty("allocations", static_cast<int>(test::allocations - before));
}

} // namespace
} // namespace ppsp::peer
