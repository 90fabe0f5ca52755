#include "peer/storage/munro_recorder.hpp"

#include "protocol/wire/datagram.hpp"

#include <utility>

namespace ppsp::peer {

ByteVector MunroRecorder::sign(Bytes message)
{
    auto signature = signer_.sign(message);
    ByteReader reader(message); // as integrity::munro_signature_input wrote it
    auto const chunks = wire::decode_spec(addressing_, reader);
    auto const time = reader.u64();
    if (chunks && time) {
        last_ = Munro{*chunks, NtpTime{*time}, signature};
    }
    return signature;
}

std::optional<MunroRecorder::Munro> MunroRecorder::take()
{
    return std::exchange(last_, std::nullopt);
}

} // namespace ppsp::peer
