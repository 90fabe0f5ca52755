#pragma once

#include "peer/shell/channel_link.hpp"
#include "protocol/integrity/signature.hpp"

#include <filesystem>

namespace ppsp::peer {

/// Another quality of the same channel.
struct Rendition {
    std::string name;
    SwarmId swarm;
    std::uint32_t video_kbps = 0;
    friend bool operator==(Rendition const&, Rendition const&) = default;
};

/// A channel file (`*.ppsp`): a link with a title and more than one tracker, signed by the
/// channel's key so that whoever passes it on cannot send viewers elsewhere.
struct ChannelFile {
    std::string title;
    ChannelLink link; ///< `peers` and `length` are not part of a file
    std::uint32_t chunk_size = 1024;
    std::uint32_t chunks_per_signature = 0; ///< 0 = not told
    std::vector<Rendition> renditions;
    std::int64_t created = 0; ///< UTC seconds since 1970

    friend bool operator==(ChannelFile const&, ChannelFile const&) = default;
};

enum class ChannelFileError : std::uint8_t {
    cannot_read,
    too_large,
    not_json,
    missing_member,
    bad_swarm,
    bad_tracker,
    bad_url,
    bad_number,
    bad_rendition,
    bad_signature,
};

inline constexpr std::size_t channel_file_size_max = 256 * 1024;
inline constexpr std::size_t channel_title_size_max = 512;

[[nodiscard]] std::string_view sentence(ChannelFileError error);

/// JSON text with the signature in it. The signature covers the canonical text: the object without
/// its `signature`, members sorted by name at every level, no white space, integers only.
[[nodiscard]] std::string to_json(ChannelFile const& file, integrity::Signer& signer);

/// Checks the signature against the file's own swarm id; unknown members are allowed and covered.
[[nodiscard]] Result<ChannelFile, ChannelFileError> parse_channel_file(std::string_view json,
                                                                       integrity::Checker& checker);

[[nodiscard]] Result<ChannelFile, ChannelFileError>
read_channel_file(std::filesystem::path const& path, integrity::Checker& checker);

/// What a user gave as a link: a link, or the path of a channel file. The error is a sentence.
[[nodiscard]] Result<ChannelLink, std::string> find_channel(std::string const& link_or_path,
                                                            integrity::Checker& checker);

} // namespace ppsp::peer
