/// Every operation of the admin.
extension RouteTable {
    package static let admin = RouteTable(
        SystemRoutes.all + MeshRoutes.all + MembershipRoutes.all + DatasetRoutes.all + RunRoutes.all
            + UserRoutes.all
            + AuditRoutes.all + PageRoutes.all)
}
