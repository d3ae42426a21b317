import SwiftASN1

func derBytes(of element: some DERSerializable) throws -> [UInt8] {
    var serializer = DER.Serializer()
    try element.serialize(into: &serializer)
    return serializer.serializedBytes
}
