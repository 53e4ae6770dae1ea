/** Two servers of one family: what they share is written once, what differs asks which. */
export type Flavour = "mysql" | "mariadb";
