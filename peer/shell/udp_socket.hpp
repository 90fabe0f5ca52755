#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/result.hpp"
#include "protocol/base/spare_buffers.hpp"
#include "protocol/base/time.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ppsp::peer {

struct UdpStatistics {
    std::uint64_t received = 0;          ///< datagrams
    std::uint64_t receive_calls = 0;     ///< of the system, with something to read
    std::uint64_t received_together = 0; ///< datagrams that came with others (UDP_GRO)
    /// Arrived while the receive buffer was full. Datagrams that would have come together count as
    /// one.
    std::uint64_t dropped_by_kernel = 0;
    std::uint64_t truncated = 0; ///< larger than we read; dropped

    std::uint64_t sent = 0;             ///< datagrams
    std::uint64_t send_calls = 0;       ///< of the system
    std::uint64_t sent_together = 0;    ///< datagrams that went with others (UDP_SEGMENT)
    std::uint64_t send_failed = 0;      ///< refused by the system: no route, wrong family
    std::uint64_t send_dropped = 0;     ///< the send queue was full
    std::uint64_t send_would_block = 0; ///< times that the send buffer was full (EAGAIN)
    std::uint64_t send_no_buffers = 0;  ///< times that the system had no memory (ENOBUFS)

    std::size_t receive_buffer_bytes = 0; ///< granted by the system
    std::size_t send_buffer_bytes = 0;    ///< granted by the system
    bool segmentation = false;            ///< UDP_SEGMENT is in use
    bool coalescing = false;              ///< UDP_GRO is in use
};

/// What a socket may use, where the system has it.
struct UdpOptions {
    bool segmentation = true;   ///< UDP_SEGMENT: several datagrams to one address in one piece
    bool coalescing = true;     ///< UDP_GRO: several datagrams of one sender in one piece
    bool arrival_times = false; ///< SO_TIMESTAMPNS: tells how long a datagram lay unread
    /// Reading ends with a system call that could have brought more, instead of one that finds
    /// nothing: for who rests for milliseconds between two reads anyway.
    bool ends_early = false;
    SpareBuffers* spare = nullptr; ///< gets the memory of what was sent; outlives the socket
};

/// A UDP socket that moves datagrams in batches. Lives on the thread of its io_context.
class UdpSocket {
public:
    struct Datagram {
        Endpoint from;
        Bytes bytes; ///< valid during the call
        /// It lay unread so long, by `arrival_times`; zero where nobody knows, and above
        /// `waited_max`.
        Duration waited{};
    };
    using BatchHandler = std::function<void(std::span<Datagram const>)>;
    /// Called when all that was there has been handed out, or so much that others get their turn
    /// first. False: nothing more is read before the next `read`.
    using DrainedHandler = std::function<bool()>;

    /// Most datagrams of one call of the handler, and of one system call that sends.
    static constexpr std::size_t batch_size = 64;
    /// Largest datagram read. Peers send at most 1472 bytes; room for tunnels with larger frames.
    static constexpr std::size_t datagram_size_max = 2048;
    /// Datagrams that wait while the system takes no more: 6 MB, more than half a second at
    /// 100 Mbit/s; the engine's pacer keeps it nearly empty.
    static constexpr std::size_t send_queue_max = 4096;
    /// Who waited longer by the system's clock met somebody who set it.
    static constexpr Duration waited_max = std::chrono::milliseconds{50};
    /// Asked of the system for each direction; it may grant less.
    static constexpr int buffer_bytes = 4 * 1024 * 1024;

    /// Binds; `[::]` takes IPv4 as well. The error is a sentence with the remedy.
    [[nodiscard]] static Result<std::unique_ptr<UdpSocket>, std::string>
    open(boost::asio::io_context& context, Endpoint const& listen, UdpOptions options = {});

    ~UdpSocket();
    UdpSocket(UdpSocket const&) = delete;
    UdpSocket& operator=(UdpSocket const&) = delete;

    /// Real address and port.
    [[nodiscard]] Endpoint local_endpoint() const;
    /// Whether datagrams can go to this address from here at all.
    [[nodiscard]] bool can_reach(Endpoint const& to) const;

    /// Starts reading; the handlers may call `send` and `flush`, but must not destroy the socket.
    void start(BatchHandler on_batch, DrainedHandler on_drained = {});
    /// Reads what is there after `on_drained` stopped it, and goes on as that says then.
    void read();
    /// Queues a datagram; `flush` sends what was queued, now or when the system takes it.
    void send(Endpoint const& to, ByteVector bytes);
    void flush();
    /// Datagrams that were queued and not sent.
    [[nodiscard]] std::size_t waiting() const;
    void close();

    [[nodiscard]] UdpStatistics const& statistics() const;

private:
    struct Parts;
    explicit UdpSocket(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
