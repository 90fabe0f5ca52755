#include "peer/shell/udp_batch.hpp"

#include <algorithm>
#include <cstring>
#include <netinet/udp.h>

namespace ppsp::peer {
namespace {

/// How many datagrams from the front can share a message.
std::size_t together(std::span<WaitingDatagram const> waiting)
{
    WaitingDatagram const& first = waiting.front();
    std::size_t const size = first.bytes.size();
    if (size == 0 || size > SendBatch::segment_bytes_max) {
        return 1;
    }
    std::size_t total = size;
    std::size_t count = 1;
    while (count < waiting.size()) {
        WaitingDatagram const& next = waiting[count];
        total += next.bytes.size();
        if (next.to != first.to || next.bytes.empty() || next.bytes.size() > size ||
            total > SendBatch::message_bytes_max) {
            break;
        }
        ++count;
        if (next.bytes.size() < size) {
            break;
        }
    }
    return count;
}

} // namespace

void SendQueue::pop(std::size_t count, SpareBuffers* spare)
{
    if (spare != nullptr) {
        for (WaitingDatagram& datagram : items().first(count)) {
            spare->give(std::move(datagram.bytes));
        }
    }
    first_ += count;
    if (empty()) {
        clear();
    } else if (first_ >= SendBatch::datagrams_max && first_ * 2 >= items_.size()) {
        items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void SendQueue::clear()
{
    items_.clear();
    first_ = 0;
}

void SendBatch::fill(std::span<WaitingDatagram> waiting, bool segmentation, bool as_v6)
{
    count_ = 0;
    parts_used_ = 0;
    waiting = waiting.first(std::min(waiting.size(), datagrams_max));
    while (!waiting.empty()) {
        std::size_t const count = segmentation ? together(waiting) : 1;
        add(waiting.first(count), as_v6);
        waiting = waiting.subspan(count);
    }
}

void SendBatch::add(std::span<WaitingDatagram> together, bool as_v6)
{
    SocketAddress& address = addresses_[count_] = to_socket_address(together.front().to, as_v6);
    msghdr& header = headers_[count_].msg_hdr;
    header.msg_name = &address.storage;
    header.msg_namelen = address.size;
    header.msg_iov = &parts_[parts_used_];
    header.msg_iovlen = together.size();
    for (WaitingDatagram& datagram : together) {
        parts_[parts_used_++] = {datagram.bytes.data(), datagram.bytes.size()};
    }
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    if (together.size() > 1) {
        header.msg_control = control_[count_].data();
        header.msg_controllen = control_size;
        cmsghdr* const control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        auto const size = static_cast<std::uint16_t>(together.front().bytes.size());
        std::memcpy(CMSG_DATA(control), &size, sizeof(size));
    }
    datagrams_[count_++] = together.size();
}

msghdr SendBatch::first_alone() const
{
    msghdr header = headers_[0].msg_hdr;
    header.msg_iovlen = 1;
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    return header;
}

ReceiveBatch::ReceiveBatch(std::size_t messages, std::size_t message_bytes)
    : data_(new std::uint8_t[messages * message_bytes]), from_(messages), control_(messages),
      parts_(messages), headers_(messages)
{
    for (std::size_t i = 0; i < messages; ++i) {
        parts_[i] = {data_.get() + i * message_bytes, message_bytes};
        headers_[i].msg_hdr.msg_name = &from_[i];
        headers_[i].msg_hdr.msg_iov = &parts_[i];
        headers_[i].msg_hdr.msg_iovlen = 1;
        headers_[i].msg_hdr.msg_control = control_[i].bytes.data();
    }
}

std::size_t ReceiveBatch::receive(int fd)
{
    // The system writes lengths into what it fills.
    for (mmsghdr& header : headers_) {
        header.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
        header.msg_hdr.msg_controllen = control_size;
    }
    int const count = ::recvmmsg(fd, headers_.data(), static_cast<unsigned>(headers_.size()),
                                 MSG_DONTWAIT, nullptr);
    // Nothing there, or an ICMP error of an earlier send: neither concerns the reader.
    return count > 0 ? static_cast<std::size_t>(count) : 0;
}

ReceiveBatch::Message ReceiveBatch::message(std::size_t index) const
{
    msghdr const& header = headers_[index].msg_hdr;
    std::size_t const size = headers_[index].msg_len;
    Message message{from_[index], {static_cast<std::uint8_t const*>(parts_[index].iov_base), size},
                    size,         (header.msg_flags & MSG_TRUNC) != 0,
                    std::nullopt, std::nullopt};
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
         control = CMSG_NXTHDR(const_cast<msghdr*>(&header), control)) {
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
            std::uint32_t drops = 0;
            std::memcpy(&drops, CMSG_DATA(control), sizeof(drops));
            message.drops = drops;
        } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_TIMESTAMPNS) {
            timespec arrived{};
            std::memcpy(&arrived, CMSG_DATA(control), sizeof(arrived));
            message.arrived = arrived;
        } else if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            int segment = 0;
            std::memcpy(&segment, CMSG_DATA(control), sizeof(segment));
            if (segment > 0) {
                message.segment_bytes = static_cast<std::size_t>(segment);
            }
        }
    }
    return message;
}

} // namespace ppsp::peer
