#include "protocol/tools/capture.hpp"

#include <algorithm>
#include <memory>
#include <ostream>
#include <pcap/pcap.h>

namespace ppsp::tools {
namespace {

using Capture = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

bool concerns(UdpDatagram const& datagram, std::vector<std::uint16_t> const& ports)
{
    auto const is_one = [&ports](Endpoint const& endpoint) {
        return std::find(ports.begin(), ports.end(), endpoint.port()) != ports.end();
    };
    return ports.empty() || is_one(datagram.from) || is_one(datagram.to);
}

void count_skipped(CaptureSummary& summary, FrameSkip why)
{
    switch (why) {
    case FrameSkip::fragment:
        summary.fragments += 1;
        return;
    case FrameSkip::truncated:
        summary.truncated += 1;
        return;
    case FrameSkip::other:
        summary.others += 1;
        return;
    }
}

/// Link types are called DLT in libpcap, where a few have another number than in files.
std::optional<LinkType> link_of(pcap_t* capture)
{
    int const number = pcap_datalink(capture);
    return number == DLT_RAW ? LinkType::raw : link_type(number);
}

std::string link_name(pcap_t* capture)
{
    int const number = pcap_datalink(capture);
    char const* const name = pcap_datalink_val_to_description_or_dlt(number);
    return name != nullptr ? name : std::to_string(number);
}

/// Files may claim any time; years up to 9999 can be written.
UnixMicros time_of(pcap_pkthdr const& header)
{
    constexpr std::int64_t seconds_max = 253'402'300'799;
    auto const seconds = std::clamp<std::int64_t>(header.ts.tv_sec, 0, seconds_max);
    return seconds * 1'000'000 + std::clamp<std::int64_t>(header.ts.tv_usec, 0, 999'999);
}

} // namespace

Description Conversations::describe(UdpDatagram const& datagram)
{
    ByteReader head(datagram.payload);
    auto const destination = head.u32();
    auto const known =
        destination ? channels_.find({datagram.to, ChannelId{*destination}}) : channels_.end();
    wire::SwarmFormat format = known != channels_.end() ? known->second : format_;
    wire::DatagramReader reader(datagram.payload, format);
    auto const first = reader.next();
    auto const* handshake = first && *first ? std::get_if<wire::Handshake>(&**first) : nullptr;
    Description description = describe_datagram(datagram.payload, format);
    if (handshake != nullptr && to_number(handshake->source) != 0) {
        format_ = format;
        if (channels_.size() < channels_max) {
            channels_[{datagram.from, handshake->source}] = format;
        }
    }
    return description;
}

std::string summary_text(CaptureSummary const& summary)
{
    return std::to_string(summary.datagrams) + " datagrams, " + std::to_string(summary.invalid) +
           " of them invalid; skipped: " + std::to_string(summary.fragments) + " IP fragments, " +
           std::to_string(summary.truncated) + " cut short, " + std::to_string(summary.others) +
           " others";
}

Result<CaptureSummary, std::string> dump_capture(std::string const& path,
                                                 std::vector<std::uint16_t> const& ports,
                                                 wire::SwarmFormat const& format, std::ostream& out)
{
    char error[PCAP_ERRBUF_SIZE] = {};
    Capture const capture(pcap_open_offline(path.c_str(), error), &pcap_close);
    if (!capture) {
        return failure(std::string(error));
    }
    auto const link = link_of(capture.get());
    if (!link) {
        return failure("frames of the kind \"" + link_name(capture.get()) +
                       "\" are not read; Ethernet, Linux cooked, raw IP and loopback are");
    }
    Conversations conversations(format);
    CaptureSummary summary;
    for (;;) {
        pcap_pkthdr* header = nullptr;
        unsigned char const* bytes = nullptr;
        int const status = pcap_next_ex(capture.get(), &header, &bytes);
        if (status == PCAP_ERROR_BREAK) {
            return summary;
        }
        if (status != 1) {
            return failure(std::string(pcap_geterr(capture.get())));
        }
        auto const datagram = read_frame(*link, {bytes, header->caplen});
        if (!datagram) {
            count_skipped(summary, datagram.error());
            continue;
        }
        if (!concerns(*datagram, ports)) {
            summary.others += 1;
            continue;
        }
        auto const description = conversations.describe(*datagram);
        out << utc_text(time_of(*header)) << ' ' << datagram->from.text() << " > "
            << datagram->to.text() << ' ' << description.text;
        summary.datagrams += 1;
        summary.invalid += description.error ? 1 : 0;
    }
}

} // namespace ppsp::tools
