#pragma once

#include "protocol/integrity/private_key.hpp"

#include <filesystem>
#include <string_view>

/// Private keys of live sources on disk; the only file access of this room.
namespace ppsp::integrity {

enum class KeyFileError : std::uint8_t {
    missing,    ///< no such file
    unreadable, ///< there, but may not be read, or is no regular file
    not_a_key,  ///< holds no unencrypted PEM private key
    wrong_kind, ///< a key, but not ECDSA P-256, ECDSA P-384 or Ed25519
    exists,     ///< would replace a file, and with it perhaps the only copy of a key
    unwritable, ///< no such directory, no permission, disk full
};

/// What is wrong and what to do, to follow the file's name in a message.
[[nodiscard]] std::string_view to_string(KeyFileError error);

/// Longest file that is read; a PEM key takes a few hundred bytes.
inline constexpr std::size_t key_file_size_max = 64 * 1024;

[[nodiscard]] Result<PrivateKey, KeyFileError> load_key(std::filesystem::path const& path);

/// Writes PKCS#8 PEM with mode 0600. The file appears complete or not at all, and never replaces
/// another.
[[nodiscard]] Result<void, KeyFileError> save_key(std::filesystem::path const& path,
                                                  PrivateKey const& key);

/// A new key, saved.
[[nodiscard]] Result<PrivateKey, KeyFileError>
create_key(std::filesystem::path const& path,
           wire::SignatureAlgorithm algorithm = wire::SignatureAlgorithm::ecdsa_p256_sha256);

} // namespace ppsp::integrity
