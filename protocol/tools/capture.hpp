#pragma once

#include "protocol/base/time.hpp"
#include "protocol/tools/dump.hpp"
#include "protocol/tools/frame.hpp"

#include <iosfwd>
#include <map>
#include <vector>

/// Packet captures as text: pcap and pcapng files, read by libpcap.
namespace ppsp::tools {

/// By what the datagrams of each conversation are to be read. A HANDSHAKE tells it for the channel
/// that it opens, so several swarms in one capture do not disturb each other.
class Conversations {
public:
    explicit Conversations(wire::SwarmFormat format) : format_(format) {}

    /// As `describe_datagram`.
    [[nodiscard]] Description describe(UdpDatagram const& datagram);

private:
    /// More in one capture are read by the newest format.
    static constexpr std::size_t channels_max = 65'536;

    wire::SwarmFormat format_;
    std::map<std::pair<Endpoint, ChannelId>, wire::SwarmFormat> channels_;
};

struct CaptureSummary {
    std::uint64_t datagrams = 0; ///< shown
    std::uint64_t invalid = 0;   ///< of these
    std::uint64_t fragments = 0;
    std::uint64_t truncated = 0;
    std::uint64_t others = 0; ///< frames without UDP, and other ports
};

/// One sentence: what was shown and what was not.
[[nodiscard]] std::string summary_text(CaptureSummary const& summary);

/// Writes the datagrams of a file, of `-` those of standard input; with `ports` only those from or
/// to one of them. The error is a sentence; what was read before it is written.
[[nodiscard]] Result<CaptureSummary, std::string>
dump_capture(std::string const& path, std::vector<std::uint16_t> const& ports,
             wire::SwarmFormat const& format, std::ostream& out);

} // namespace ppsp::tools
