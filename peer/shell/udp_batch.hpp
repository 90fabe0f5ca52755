#pragma once

#include "peer/shell/socket_address.hpp"
#include "protocol/base/spare_buffers.hpp"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ctime>
#include <sys/socket.h>
#include <sys/uio.h>

/// What recvmmsg(2) and sendmmsg(2) work on, made once per socket.
namespace ppsp::peer {

/// A datagram that waits to be sent.
struct WaitingDatagram {
    Endpoint to;
    ByteVector bytes;
};

/// First in, first out, in one block of memory that stays for the next ones.
class SendQueue {
public:
    [[nodiscard]] bool empty() const { return first_ == items_.size(); }
    [[nodiscard]] std::size_t size() const { return items_.size() - first_; }
    [[nodiscard]] std::span<WaitingDatagram> items() { return std::span(items_).subspan(first_); }
    void push(WaitingDatagram datagram) { items_.push_back(std::move(datagram)); }
    /// What was in them goes to `spare`, if there is one.
    void pop(std::size_t count, SpareBuffers* spare);
    void clear();

private:
    std::vector<WaitingDatagram> items_;
    std::size_t first_ = 0;
};

/// Messages of one sendmmsg call. Neighbours in the queue that go to the same address and have the
/// same size share a message, which the system cuts up again (UDP_SEGMENT); the last one may be
/// shorter.
class SendBatch {
public:
    static constexpr std::size_t datagrams_max = 64; ///< also the segments of one message
    /// Longer datagrams may need fragments, which segments cannot be.
    static constexpr std::size_t segment_bytes_max = 1472;
    /// Largest UDP payload of an IPv4 packet, which a message is to the system.
    static constexpr std::size_t message_bytes_max = 65507;

    /// Takes what fits from the front of `waiting`, which must stay until it was sent.
    void fill(std::span<WaitingDatagram> waiting, bool segmentation, bool as_v6);
    [[nodiscard]] std::span<mmsghdr> messages() { return std::span(headers_).first(count_); }
    /// Datagrams in one of the messages.
    [[nodiscard]] std::size_t datagrams(std::size_t message) const { return datagrams_[message]; }
    /// The first datagram of the first message, alone.
    [[nodiscard]] msghdr first_alone() const;

private:
    static constexpr std::size_t control_size = CMSG_SPACE(sizeof(std::uint16_t));

    void add(std::span<WaitingDatagram> together, bool as_v6);

    std::size_t count_ = 0;
    std::size_t parts_used_ = 0;
    std::array<SocketAddress, datagrams_max> addresses_;
    std::array<iovec, datagrams_max> parts_{};
    alignas(cmsghdr) std::array<std::array<char, control_size>, datagrams_max> control_{};
    std::array<mmsghdr, datagrams_max> headers_{};
    std::array<std::size_t, datagrams_max> datagrams_{};
};

/// Messages of one recvmmsg call: a datagram each, or several of one size from one sender
/// (UDP_GRO), of which the last may be shorter.
class ReceiveBatch {
public:
    struct Message {
        sockaddr_storage const& from;
        Bytes bytes;
        std::size_t segment_bytes; ///< size of each datagram but the last
        bool truncated;
        std::optional<std::uint32_t> drops; ///< SO_RXQ_OVFL: since the socket was opened
        std::optional<timespec> arrived;    ///< SO_TIMESTAMPNS: by the system's clock
    };

    ReceiveBatch(std::size_t messages, std::size_t message_bytes);

    /// Reads what is there without waiting; the number of messages.
    [[nodiscard]] std::size_t receive(int fd);
    [[nodiscard]] std::size_t messages_max() const { return headers_.size(); }
    [[nodiscard]] Message message(std::size_t index) const;

private:
    static constexpr std::size_t control_size =
        CMSG_SPACE(sizeof(std::uint32_t)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(timespec));
    struct Control {
        alignas(cmsghdr) std::array<char, control_size> bytes;
    };

    std::unique_ptr<std::uint8_t[]> data_; ///< pages nothing was written to take no memory
    std::vector<sockaddr_storage> from_;
    std::vector<Control> control_;
    std::vector<iovec> parts_;
    std::vector<mmsghdr> headers_;
};

} // namespace ppsp::peer
